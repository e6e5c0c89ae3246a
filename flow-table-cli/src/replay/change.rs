use flow_table::Timestamp;

/// When a packet is handled, and its number among all packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) now: Timestamp,
    pub(crate) number: u64,
}

/// A flow more or a flow less. Changes are in the order in which one thread would have seen them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Change {
    now: Timestamp,
    /// One more than the number of the packet, or zero.
    number: u64,
    kind: Kind,
}

/// What happens at one time, in this order: flows expire before any packet is handled. A packet may take the place
/// of a flow, begin one, and end that at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Expired,
    Replaced,
    Began,
    Closed,
}

impl Change {
    pub(super) const fn expired(deadline: Timestamp) -> Self {
        Self { now: deadline, number: 0, kind: Kind::Expired }
    }

    const fn by(stamp: Stamp, kind: Kind) -> Self {
        Self { now: stamp.now, number: stamp.number + 1, kind }
    }

    pub(super) const fn replaced(stamp: Stamp) -> Self {
        Self::by(stamp, Kind::Replaced)
    }

    pub(super) const fn began(stamp: Stamp) -> Self {
        Self::by(stamp, Kind::Began)
    }

    pub(super) const fn closed(stamp: Stamp) -> Self {
        Self::by(stamp, Kind::Closed)
    }
}

/// The number of live flows over time.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    live: usize,
    pub(crate) peak: usize,
}

impl Balance {
    /// Applies changes, all of which come after those of the call before.
    pub(crate) fn apply(&mut self, mut changes: Vec<Change>) {
        changes.sort_unstable();
        for change in changes {
            if change.kind == Kind::Began {
                self.live += 1;
                self.peak = self.peak.max(self.live);
            } else {
                self.live = self.live.saturating_sub(1);
            }
        }
    }
}
