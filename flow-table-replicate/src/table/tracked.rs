//! What the table keeps beside each value: 24 bytes that order the records of the flow.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use flow_table_api::Timestamp;

use crate::{Epoch, Life, ShardId};

/// A value, and what orders the records of its flow.
///
/// ```text
///            63          40 39                        0
///           +--------------+---------------------------+
/// life      | birth epoch  |        generation         |   zero: not recorded yet
///           +--------------+---------------------------+
/// mark      owner: the deadline last published; standby: the sweep that last named the flow
/// place     | writer's epoch (24 bits) | shard (8 bits) |
/// sequence  the number of the flow's last record, modulo 2³²
/// ```
pub struct Tracked<V> {
    life: AtomicU64,
    mark: AtomicU64,
    place: AtomicU32,
    sequence: AtomicU32,
    value: V,
}

impl<V> Tracked<V> {
    /// A value whose flow has no record yet.
    pub(crate) const fn new(shard: ShardId, value: V) -> Self {
        Self {
            life: AtomicU64::new(0),
            mark: AtomicU64::new(0),
            place: AtomicU32::new(shard.index() as u32),
            sequence: AtomicU32::new(0),
            value,
        }
    }

    /// A value that a record brought.
    pub(crate) fn followed(shard: ShardId, epoch: Epoch, order: (Life, u32), mark: u64, value: V) -> Self {
        Self {
            life: AtomicU64::new(order.0.to_bits()),
            mark: AtomicU64::new(mark),
            place: AtomicU32::new(epoch.get() << 8 | shard.index() as u32),
            sequence: AtomicU32::new(order.1),
            value,
        }
    }

    /// The value.
    #[inline]
    pub const fn value(&self) -> &V {
        &self.value
    }

    pub(crate) fn into_value(self) -> V {
        self.value
    }

    /// The shard of the flow's key.
    pub fn shard(&self) -> ShardId {
        // Relaxed: the shard never changes.
        ShardId::new(self.place.load(Ordering::Relaxed) as u8)
    }

    /// The epoch of the writer whose record a standby applied last; zero for a flow of this table's own.
    pub(crate) fn writer(&self) -> Epoch {
        // Relaxed: only the thread that follows writes it.
        Epoch::new(self.place.load(Ordering::Relaxed) >> 8)
    }

    /// The life of the flow: [`Life::NONE`] until it has been recorded.
    pub fn life(&self) -> Life {
        // SeqCst: see `Feed::begun`.
        Life::from_bits(self.life.load(Ordering::SeqCst))
    }

    /// Starts a new life. Of two that start at the same time the later one stays.
    pub(crate) fn start(&self, life: Life) {
        // SeqCst: see `Feed::begun`.
        self.life.fetch_max(life.to_bits(), Ordering::SeqCst);
    }

    /// The number of the next record. Take it *before* reading the value: of two records, the one with the
    /// higher number then holds what is at least as new.
    pub(crate) fn next_sequence(&self) -> u32 {
        // AcqRel: who takes a number sees the changes that came before earlier numbers were taken.
        self.sequence.fetch_add(1, Ordering::AcqRel).wrapping_add(1)
    }

    /// The number of the record that a standby applied last.
    pub(crate) fn sequence(&self) -> u32 {
        // Relaxed: only the thread that follows writes it.
        self.sequence.load(Ordering::Relaxed)
    }

    /// For a standby: a record that changed only the deadline.
    pub(crate) fn follow(&self, epoch: Epoch, sequence: u32) {
        // Relaxed: only the thread that follows writes these.
        self.place.store(epoch.get() << 8 | self.shard().index() as u32, Ordering::Relaxed);
        self.sequence.store(sequence, Ordering::Relaxed);
    }

    /// For an owner: the deadline in the last record.
    pub(crate) fn published(&self) -> Timestamp {
        Timestamp::from_nanos(self.mark())
    }

    pub(crate) fn set_published(&self, deadline: Timestamp) {
        self.set_mark(deadline.as_nanos());
    }

    /// For a standby: the sweep that named the flow last.
    pub(crate) fn mark(&self) -> u64 {
        // Relaxed: a stale mark costs a repeated record.
        self.mark.load(Ordering::Relaxed)
    }

    pub(crate) fn set_mark(&self, mark: u64) {
        self.mark.store(mark, Ordering::Relaxed);
    }
}

impl<V: fmt::Debug> fmt::Debug for Tracked<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracked")
            .field("life", &self.life())
            .field("shard", &self.shard())
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_24_bytes_beside_the_value() {
        assert_eq!(size_of::<Tracked<()>>(), 24);
        assert_eq!(size_of::<Tracked<u64>>(), 32);
    }

    #[test]
    fn sequences_wrap_and_leave_the_rest_alone() {
        let order = (Life::new(Epoch::new(2), 7), u32::MAX);
        let tracked = Tracked::followed(ShardId::new(255), Epoch::MAX, order, 3, ());
        assert_eq!(tracked.next_sequence(), 0);
        assert_eq!((tracked.shard(), tracked.writer(), tracked.mark()), (ShardId::new(255), Epoch::MAX, 3));
        tracked.start(Life::new(Epoch::new(1), 99));
        assert_eq!(tracked.life(), Life::new(Epoch::new(2), 7));
    }
}
