use flow_table_api::Timestamp;

use super::position::Position;
use crate::ids::EntryIndex;

/// What the timer queue needs to know about the entries of its shard.
pub(crate) trait Entries {
    /// An entry with its place in memory, so that nobody computes that again.
    type Found: Copy;

    fn find(&self, entry: EntryIndex) -> Self::Found;

    fn index(entry: Self::Found) -> EntryIndex;

    /// The position that [`set_position`](Self::set_position) stored last.
    fn position(&self, entry: Self::Found) -> Position;

    /// Stores where the entry is filed.
    fn set_position(&mut self, entry: Self::Found, position: Position);

    /// Stores where an entry is filed of which only the index is known.
    #[inline]
    fn place(&mut self, entry: EntryIndex, position: Position) {
        self.set_position(self.find(entry), position);
    }

    /// Returns whether the entry's flow is due at `now`, or else when it will be. It reads the flow, which is
    /// normally a cache miss.
    fn due(&self, entry: Self::Found, now: Timestamp) -> Due;

    /// Starts to load what [`due`](Self::due) and [`set_position`](Self::set_position) touch.
    fn prefetch(&self, entry: EntryIndex);

    /// Tells that the entry was filed in the heap, so that its deadline is near or past. Starts to load what
    /// its end will touch.
    fn comes_up(&self, entry: EntryIndex);
}

/// The result of [`Entries::due`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The deadline has passed, or the flow has ended in another way.
    Now,
    /// The flow is live until this time, which is after `now`.
    At(Timestamp),
}
