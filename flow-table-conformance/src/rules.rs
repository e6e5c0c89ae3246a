macro_rules! rules {
    ($($(#[$doc:meta])+ $rule:ident,)+) => {
        /// The rules of the contract, by number. Each has at least one [case](crate::CASES).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[$doc])+ $rule,)+
        }

        impl Rule {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$rule,)+];
        }
    };
}

rules! {
    /// The caller owns the clock.
    T1,
    /// Time saturates; an older `now` is harmless.
    T2,
    /// Live: active, and before the deadline.
    T3,
    /// The edges between statuses.
    S1,
    /// Active exactly while in a table.
    S2,
    /// Each end counts once.
    S3,
    /// Look-up finds the live flow.
    L1,
    /// Look-up expires what is due.
    L2,
    /// What look-ups find after expiry is the flow's option.
    L3,
    /// A dead slot is never found, and none stays. The thread that releases a flow removes its slots, and only
    /// those.
    L4,
    /// A batch is the same as single look-ups.
    L5,
    /// Look-ups block no look-up.
    L6,
    /// A key is looked up by any form that is equivalent to it.
    L7,
    /// A key's hash may be computed once and carried.
    L8,
    /// Bursts borrow.
    U1,
    /// Open bursts only delay drops.
    U2,
    /// Any number of bursts.
    U3,
    /// Bursts that stall hold back a bounded amount.
    U4,
    /// `insert` replaces.
    I1,
    /// `insert_if_absent` displaces nothing live, and is blocked by nothing else.
    I2,
    /// `get_or_insert_with` makes at most once, under no lock.
    I3,
    /// Two keys, one flow, all or nothing.
    I4,
    /// `reinsert`.
    I5,
    /// The key comes from the flow.
    I6,
    /// What a refresh does.
    D1,
    /// A granted refresh is honoured.
    D2,
    /// Busy flows accumulate no time.
    D3,
    /// Deadlines may be brought forward.
    D4,
    /// With slack, refreshes may prolong a flow a little more.
    D5,
    /// What a reap does, and what it costs.
    R1,
    /// A reap covers every thread's flows.
    R2,
    /// Removal by identity.
    R3,
    /// Ended flows are handed over.
    R4,
    /// No traffic needed.
    R5,
    /// `next_deadline`.
    R6,
    /// Records that are final.
    R7,
    /// Questions before the end, and about long flows.
    R8,
    /// `cancel`.
    E1,
    /// `remove` and `remove_flow`.
    E2,
    /// Iteration.
    E3,
    /// Values drop once, under no lock.
    V1,
    /// What handles can do.
    V2,
    /// Held handles block nothing.
    V3,
    /// Panics of user code.
    V4,
    /// Handles of other tables, and of none.
    V5,
    /// A hard limit.
    C1,
    /// A full table.
    C2,
    /// Memory goes back.
    C3,
    /// Memory follows the flows that live on, whatever pattern they have in it.
    C3A,
    /// Chosen keys.
    C4,
    /// Counters.
    C5,
    /// Eviction, for those who ask for it.
    C6,
    /// Linearizable per key.
    X1,
    /// Any thread.
    X2,
}
