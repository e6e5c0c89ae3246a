//! When there will be something to reap: a lower bound for each shard, and one for all.
//!
//! # Ground rules
//!
//! Everything here is sequentially consistent, since both sides store one word and then load the other's.
//!
//! * Whoever brings work to a shard lowers the shard's time first and the table's second ([`DueTimes::lower`]).
//! * Whoever has reaped a shard (under its lock) sets its time to that of the work left ([`DueTimes::settle`]), and looks *afterwards*
//!   whether work has come without the lock (a notice). So of a notice's time, either it lowers what was set, or its work is found.
//! * Whoever recomputes the table's time raises it to [`NEVER`] *before* reading the shards' times, and lowers it afterwards, in the same way. While
//!   this goes on (`recomputing` is odd), the table's time is not to be trusted, and the shards' are looked at instead.

use crossbeam::utils::CachePadded;
use flow_table_api::Timestamp;

use crate::sync::{AtomicU64, Ordering};

/// Beyond every timestamp: nothing to do, ever.
const NEVER: u64 = u64::MAX;

pub(crate) struct DueTimes {
    all: CachePadded<Overall>,
    shards: Box<[AtomicU64]>,
}

struct Overall {
    earliest: AtomicU64,
    /// Odd while `earliest` is recomputed; then also a lock for doing so.
    recomputing: AtomicU64,
}

impl DueTimes {
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            all: CachePadded::new(Overall { earliest: AtomicU64::new(NEVER), recomputing: AtomicU64::new(0) }),
            shards: std::iter::repeat_with(|| AtomicU64::new(NEVER)).take(shards).collect(),
        }
    }

    /// There is work in `shard` from `time` on.
    #[inline]
    pub(crate) fn lower(&self, shard: usize, time: Timestamp) {
        lower(&self.shards[shard], time.as_nanos());
        lower(&self.all.earliest, time.as_nanos());
    }

    /// The shard has been searched for work, and what is left is due at `time`. Under its lock; look for notices next.
    pub(crate) fn settle(&self, shard: usize, time: Option<Timestamp>) {
        self.shards[shard].store(time.map_or(NEVER, Timestamp::as_nanos), Ordering::SeqCst);
    }

    /// Whether there may be work in the shard at `now`.
    #[inline]
    pub(crate) fn is_due(&self, shard: usize, now: Timestamp) -> bool {
        self.shards[shard].load(Ordering::SeqCst) <= now.as_nanos()
    }

    /// Whether there may be work anywhere at `now`. O(1), but O(shards) while somebody recomputes.
    #[inline]
    pub(crate) fn any_due(&self, now: Timestamp) -> bool {
        let before = self.all.recomputing.load(Ordering::SeqCst);
        let due = self.all.earliest.load(Ordering::SeqCst) <= now.as_nanos();
        let settled = before & 1 == 0 && self.all.recomputing.load(Ordering::SeqCst) == before;
        due || !settled && (0..self.shards.len()).any(|shard| self.is_due(shard, now))
    }

    /// The earliest time at which there may be work; nothing if there will be none. O(shards).
    pub(crate) fn earliest(&self) -> Option<Timestamp> {
        let times = self.shards.iter().map(|time| time.load(Ordering::SeqCst));
        times.min().filter(|&time| time != NEVER).map(Timestamp::from_nanos)
    }

    /// Raises the table's time to what the shards' times say, unless somebody else is doing so. O(shards).
    pub(crate) fn recompute(&self) {
        let Overall { earliest, recomputing } = &*self.all;
        let round = recomputing.load(Ordering::SeqCst);
        if round & 1 == 1
            || recomputing.compare_exchange(round, round + 1, Ordering::SeqCst, Ordering::SeqCst).is_err()
        {
            return;
        }
        earliest.store(NEVER, Ordering::SeqCst);
        if let Some(time) = self.earliest() {
            earliest.fetch_min(time.as_nanos(), Ordering::SeqCst);
        }
        recomputing.store(round + 2, Ordering::SeqCst);
    }
}

#[inline]
fn lower(time: &AtomicU64, to: u64) {
    if to < time.load(Ordering::SeqCst) {
        time.fetch_min(to, Ordering::SeqCst);
    }
}

#[cfg(all(test, not(flow_table_loom)))]
mod tests {
    use super::*;

    #[test]
    fn lower_bounds_follow_the_shards() {
        let (due, at) = (DueTimes::new(4), Timestamp::from_nanos);
        assert!(!due.any_due(Timestamp::MAX) && due.earliest().is_none());
        due.lower(2, at(50));
        due.lower(1, at(70));
        assert!(due.any_due(at(50)) && !due.any_due(at(49)));
        assert!(due.is_due(2, at(50)) && !due.is_due(1, at(50)));
        due.settle(2, None);
        due.recompute();
        assert!(!due.any_due(at(69)) && due.any_due(at(70)));
        assert_eq!(due.earliest(), Some(at(70)));
    }
}
