//! The time from which on there may be something to reap in each shard. These lower bounds lie side by side, so
//! that a look at a few cache lines is enough to see that there is nothing to do. Beside them, a bit for each
//! shard says that flows are dying there. They are work for a reap, but not for an insertion that makes room.
//!
//! # Ground rules
//!
//! * P9. An operation that brings work to a shard stores the work first and lowers the shard's time afterwards
//!   ([`DueTimes::lower`]). It has the shard's lock, or has left a notice without it.
//! * A reap of a shard, under its lock, sets the shard's time to that of the work left ([`DueTimes::settle`]),
//!   and looks for notices *afterwards*. Each side stores one word and then loads the other side's word, so all
//!   of these accesses are sequentially consistent. If a notice races with `settle`, either it lowers the time
//!   that was set, or the reap finds the notice.
//! * A flow that is due may begin to die, and the other way round. Whoever moves it shows it in its new place
//!   before it is hidden in the old one. Whoever looks at both looks at the dying before the times, for those who
//!   come from there, and after them, for those who go there.

use flow_table_api::Timestamp;

use crate::sync::{AtomicU64, Ordering};

/// Later than every timestamp: there is nothing to do.
const NEVER: u64 = u64::MAX;

/// Times in a cache line, except where schedules are explored.
const PER_LINE: usize = if cfg!(flow_table_loom) { 1 } else { 8 };

pub(crate) struct DueTimes {
    /// In whole lines. Those that no shard has are `NEVER`.
    times: Box<[[AtomicU64; PER_LINE]]>,
    /// The shards in which flows are dying, as bits. They are work for a reap, whatever the time. The bit of a
    /// shard changes under its lock.
    dying: AtomicU64,
    /// The shards whose flows lie far apart in memory, as bits. The bit of a shard changes under its lock.
    sparse: AtomicU64,
}

impl DueTimes {
    /// Times for at most 64 shards.
    pub(crate) fn new(shards: usize) -> Self {
        debug_assert!(shards <= u64::BITS as usize);
        let line = || std::array::from_fn(|_| AtomicU64::new(NEVER));
        let times = std::iter::repeat_with(line).take(shards.div_ceil(PER_LINE)).collect();
        Self { times, dying: AtomicU64::new(0), sparse: AtomicU64::new(0) }
    }

    #[inline]
    fn time(&self, shard: usize) -> &AtomicU64 {
        &self.times.as_flattened()[shard]
    }

    /// Records that there is work in `shard` from `time` on.
    #[inline]
    pub(crate) fn lower(&self, shard: usize, time: Timestamp) {
        let due = self.time(shard);
        if time.as_nanos() < due.load(Ordering::SeqCst) {
            due.fetch_min(time.as_nanos(), Ordering::SeqCst);
        }
    }

    /// Sets the shard's time after it has been searched: the work that is left is due at `time`. Call it under
    /// the shard's lock, and look for notices next.
    #[inline]
    pub(crate) fn settle(&self, shard: usize, time: Option<Timestamp>) {
        // A swap, for loom: its stores that race with read-modify-writes have no one order. (Processors take as
        // long for both.)
        self.time(shard).swap(time.map_or(NEVER, Timestamp::as_nanos), Ordering::SeqCst);
    }

    /// Sets or clears the bit that says that the shard's flows lie far apart in memory. Call it under the shard's
    /// lock.
    #[cold]
    pub(super) fn set_sparse(&self, shard: usize, is_sparse: bool) {
        // Relaxed, here and below: only a hint for the next reap.
        if is_sparse {
            self.sparse.fetch_or(1 << shard, Ordering::Relaxed);
        } else {
            self.sparse.fetch_and(!(1 << shard), Ordering::Relaxed);
        }
    }

    /// The shards whose flows lie far apart in memory, as bits.
    #[inline]
    pub(crate) fn sparse(&self) -> u64 {
        self.sparse.load(Ordering::Relaxed)
    }

    /// Sets or clears the bit that says that flows are dying in the shard. Call it under the shard's lock.
    pub(crate) fn set_dying(&self, shard: usize, are: bool) {
        // SeqCst, like all accesses here: a reap that comes after a place was given up finds the flow that had
        // it.
        if are {
            self.dying.fetch_or(1 << shard, Ordering::SeqCst);
        } else {
            self.dying.fetch_and(!(1 << shard), Ordering::SeqCst);
        }
    }

    /// Returns `true` if there may be flows in the shard that have ended or are due at `now`, other than dying
    /// ones.
    #[inline]
    pub(crate) fn is_due(&self, shard: usize, now: Timestamp) -> bool {
        self.time(shard).load(Ordering::SeqCst) <= now.as_nanos()
    }

    /// Returns `true` if there may be work for a reap in the shard at `now`.
    #[inline]
    pub(crate) fn has_work(&self, shard: usize, now: Timestamp) -> bool {
        let is_dying = || self.dying.load(Ordering::SeqCst) >> shard & 1 != 0;
        is_dying() || self.is_due(shard, now) || is_dying()
    }

    /// The shards in which there may be work at `now`, as bits. O(shards): eight to a cache line.
    #[inline]
    pub(crate) fn due_shards(&self, now: Timestamp) -> u64 {
        let before = self.dying.load(Ordering::SeqCst);
        // The last one first. A rotation and a sum, which is a bit: compilers make three instructions of them.
        let mut shards = 0_u64;
        for line in self.times.iter().rev() {
            for due in line.iter().rev() {
                let is_due = u64::from(due.load(Ordering::SeqCst) <= now.as_nanos());
                shards = shards.rotate_left(1).wrapping_add(is_due);
            }
        }
        shards | before | self.dying.load(Ordering::SeqCst)
    }

    /// The earliest time at which there may be work, or `None` if there will be none. O(shards).
    pub(crate) fn earliest(&self) -> Option<Timestamp> {
        let before = self.dying.load(Ordering::SeqCst);
        let earliest = self.times.as_flattened().iter().map(|due| due.load(Ordering::SeqCst)).min();
        if before | self.dying.load(Ordering::SeqCst) != 0 {
            return Some(Timestamp::ZERO);
        }
        earliest.filter(|&nanos| nanos != NEVER).map(Timestamp::from_nanos)
    }
}

#[cfg(all(test, not(flow_table_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_shard_counts() {
        let (due, at) = (DueTimes::new(4), Timestamp::from_nanos);
        assert!(due.due_shards(Timestamp::MAX) == 0 && due.earliest().is_none());
        due.lower(2, at(50));
        due.lower(2, at(60));
        due.lower(1, at(70));
        assert_eq!([49, 50, 70].map(|now| due.due_shards(at(now))), [0, 0b100, 0b110]);
        assert!(due.is_due(2, at(50)) && !due.is_due(1, at(50)));
        due.set_dying(3, true);
        assert_eq!((due.due_shards(at(49)), due.earliest()), (0b1000, Some(Timestamp::ZERO)));
        assert!(due.has_work(3, at(0)) && !due.is_due(3, at(0)));
        due.set_dying(3, false);
        due.settle(2, None);
        assert_eq!(due.earliest(), Some(at(70)));
    }
}
