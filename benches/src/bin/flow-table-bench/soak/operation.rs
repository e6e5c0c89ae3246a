use super::dice::Dice;

/// What threads do. Each but the last five is a method of the table or the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Operation {
    Lookup,
    LookupBatch,
    Burst,
    Refresh,
    Insert,
    InsertIfAbsent,
    GetOrInsertWith,
    Reinsert,
    SetDeadline,
    SetTimeout,
    Cancel,
    Remove,
    RemoveFlow,
    Reap,
    ReapLocal,
    Retain,
    ForEach,
    Snapshot,
    SetCapacity,
    ShrinkToFit,
    Stats,
    /// Look flows up that never end.
    Stable,
    /// Leave a handle for any other thread.
    Exchange,
    /// Drop handles.
    Drop,
    /// Make and upgrade weak handles.
    Weak,
    /// Move the time on.
    Advance,
}

use Operation as O;

impl Operation {
    pub(super) const ALL: [Self; 26] = [
        O::Lookup,
        O::LookupBatch,
        O::Burst,
        O::Refresh,
        O::Insert,
        O::InsertIfAbsent,
        O::GetOrInsertWith,
        O::Reinsert,
        O::SetDeadline,
        O::SetTimeout,
        O::Cancel,
        O::Remove,
        O::RemoveFlow,
        O::Reap,
        O::ReapLocal,
        O::Retain,
        O::ForEach,
        O::Snapshot,
        O::SetCapacity,
        O::ShrinkToFit,
        O::Stats,
        O::Stable,
        O::Exchange,
        O::Drop,
        O::Weak,
        O::Advance,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            O::Lookup => "lookup",
            O::LookupBatch => "lookup_batch",
            O::Burst => "burst",
            O::Refresh => "refresh",
            O::Insert => "insert",
            O::InsertIfAbsent => "insert_if_absent",
            O::GetOrInsertWith => "get_or_insert_with",
            O::Reinsert => "reinsert",
            O::SetDeadline => "set_deadline",
            O::SetTimeout => "set_timeout",
            O::Cancel => "cancel",
            O::Remove => "remove",
            O::RemoveFlow => "remove_flow",
            O::Reap => "reap",
            O::ReapLocal => "reap_local",
            O::Retain => "retain",
            O::ForEach => "for_each",
            O::Snapshot => "snapshot",
            O::SetCapacity => "set_capacity",
            O::ShrinkToFit => "shrink_to_fit",
            O::Stats => "stats",
            O::Stable => "stable",
            O::Exchange => "exchange",
            O::Drop => "drop",
            O::Weak => "weak",
            O::Advance => "advance",
        }
    }

    /// How often it is drawn, relative to the others. `reaping` is the weight of both kinds of reap in this round.
    const fn weight(self, reaping: usize) -> usize {
        match self {
            O::Lookup | O::Refresh => 192,
            O::GetOrInsertWith => 160,
            O::Insert | O::InsertIfAbsent | O::Stable => 64,
            O::LookupBatch | O::Burst | O::Exchange | O::Advance => 32,
            O::Cancel | O::Remove | O::RemoveFlow | O::SetDeadline | O::SetTimeout | O::Drop | O::Weak => 16,
            O::Reinsert => 8,
            O::Reap | O::ReapLocal => reaping,
            O::SetCapacity | O::Stats => 1,
            // Each takes as long as many others, and is drawn apart.
            O::Retain | O::ForEach | O::Snapshot | O::ShrinkToFit => 0,
        }
    }
}

/// What one thread does in one round, and how often.
pub(super) struct Mix {
    usual: Vec<Operation>,
    /// One in this many draws is an operation that takes long.
    rarity: usize,
}

impl Mix {
    /// A mix with a random cadence of reaping. Some mixes never reap.
    pub(super) fn new(dice: &mut Dice, flows: usize) -> Self {
        let reaping = [0, 1, 8, 64][dice.below(4)];
        let times = |operation: Operation| std::iter::repeat_n(operation, operation.weight(reaping));
        Self { usual: O::ALL.into_iter().flat_map(times).collect(), rarity: (2 * flows).max(1024) }
    }

    pub(super) fn draw(&self, dice: &mut Dice) -> Operation {
        if dice.one_in(self.rarity) {
            return [O::Retain, O::ForEach, O::Snapshot, O::ShrinkToFit][dice.below(4)];
        }
        self.usual[dice.below(self.usual.len())]
    }
}
