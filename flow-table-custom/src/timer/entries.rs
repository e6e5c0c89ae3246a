use flow_table_api::Timestamp;

use super::position::Position;
use crate::ids::EntryIndex;

/// What the timer queue needs to know about the entries of its shard.
pub(crate) trait Entries {
    /// The position that [`set_position`](Self::set_position) stored last.
    fn position(&self, entry: EntryIndex) -> Position;

    /// Stores where the entry is filed.
    fn set_position(&mut self, entry: EntryIndex, position: Position);

    /// Returns whether the entry's flow is due at `now`, or else when it will be. It reads the flow, which is
    /// normally a cache miss.
    fn due(&self, entry: EntryIndex, now: Timestamp) -> Due;

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
