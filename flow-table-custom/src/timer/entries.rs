use flow_table_api::Timestamp;

use super::position::Position;
use crate::ids::EntryIndex;

/// What a shard tells its timer queue about entries.
pub(crate) trait Entries {
    /// What [`set_position`](Self::set_position) stored last.
    fn position(&self, entry: EntryIndex) -> Position;

    /// Stores where the entry is filed.
    fn set_position(&mut self, entry: EntryIndex, position: Position);

    /// Whether the entry's flow is due at `now`, or else when. Reads the flow: normally a cache miss.
    fn due(&self, entry: EntryIndex, now: Timestamp) -> Due;

    /// Starts to load what [`due`](Self::due) and [`set_position`](Self::set_position) touch.
    fn prefetch(&self, entry: EntryIndex);

    /// The entry was filed in the heap, so its deadline is near or past: starts to load what its end will touch.
    fn comes_up(&self, entry: EntryIndex);
}

/// What [`Entries::due`] finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The deadline has passed, or the flow has ended otherwise.
    Now,
    /// The flow is live until this time, which is after the `now` that was asked about.
    At(Timestamp),
}
