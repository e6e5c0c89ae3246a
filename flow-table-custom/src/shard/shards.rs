//! The shards of a table: what each has behind its lock, what each has outside it, and what all of them share.

use crossbeam::utils::CachePadded;
use flow_table_api::{Alarm, TableConfig, Timestamp};

use super::capacity::Capacity;
use super::counters::Counters;
use super::due::DueTimes;
use super::dying::Dying;
use super::emptying::{ALWAYS, Emptying};
use super::switch::Switch;
use crate::flows::{Arena, FlowAt, Locked, Notices, Slab};
use crate::index::{Index, LockedHalf, SEGMENTS};
use crate::sync::{AtomicU32, Mutex, Ordering};
use crate::timer::TimerQueue;

const SHARDS_MAX: usize = if SEGMENTS < 64 { SEGMENTS } else { 64 };

/// The shards of a table, and what they share.
pub(crate) struct Shards<K, V> {
    pub(crate) arena: Arena<K, V>,
    pub(crate) index: Index,
    pub(crate) due: DueTimes,
    pub(crate) capacity: Capacity,
    /// Those who sleep until the next deadline.
    pub(crate) alarm: Alarm,
    /// The number of questions asked, which tells them apart.
    questions: AtomicU32,
    /// How long a live flow is filed at most before it comes up, in ns (contract R8).
    period: u64,
    pub(super) shards: Box<[CachePadded<Shard>]>,
}

/// One shard.
pub(crate) struct Shard {
    pub(super) state: Mutex<ShardState>,
    pub(crate) notices: Notices,
    pub(crate) switch: Switch,
    pub(crate) counters: Counters,
}

/// What the lock of a shard protects.
pub(super) struct ShardState {
    pub(super) locked: Locked,
    /// One-key flows and two-key flows.
    pub(super) slabs: [Slab; 2],
    pub(super) timers: TimerQueue,
    pub(super) dying: Dying,
    pub(super) emptying: Emptying,
    pub(super) segments: Box<[LockedHalf]>,
    /// Entries in use.
    pub(super) entries: usize,
    /// The table is gone. An operation that frees an entry from now on counts it out of the keeper.
    pub(super) closed: bool,
}

impl<K, V> Shards<K, V> {
    pub(crate) fn new(config: &TableConfig, processors: usize) -> Self {
        let wished = config.wished_shards().map_or(processors * 4, |wished| wished.get());
        let shards = wished.min(SHARDS_MAX).next_power_of_two();
        let [singles, pairs] = config.prefaulted();
        let slots = singles.saturating_add(pairs.saturating_mul(2));
        let index = Index::new(shards.trailing_zeros(), slots);
        let shard = |number| CachePadded::new(Shard::new(number as u32, index.per_shard()));
        Self {
            arena: Arena::new(config.slack()),
            due: DueTimes::new(shards),
            capacity: Capacity::new(config.capacity()),
            alarm: Alarm::new(),
            questions: AtomicU32::new(0),
            period: u64::try_from(config.asks_after().as_nanos()).unwrap_or(u64::MAX),
            shards: (0..shards).map(shard).collect(),
            index,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.len()
    }

    /// The time under which a live flow with this deadline is filed at `now`.
    #[inline]
    pub(crate) fn filing(&self, deadline: Timestamp, now: Timestamp) -> Timestamp {
        if self.period == u64::MAX {
            return deadline;
        }
        deadline.min(Timestamp::from_nanos(now.as_nanos().saturating_add(self.period)))
    }

    /// A number for a question. It comes again after 2²⁹ others.
    pub(super) fn next_question(&self) -> u32 {
        // Relaxed: it only has to differ.
        self.questions.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns `true` if live flows come up to be asked about.
    pub(crate) fn has_questions(&self) -> bool {
        // Relaxed: a hint; the reap that asks has set it long before.
        self.period != u64::MAX || self.questions.load(Ordering::Relaxed) != 0
    }

    /// The shards in which pages are to be emptied, as bits.
    #[inline]
    pub(crate) fn sparse(&self) -> u64 {
        if ALWAYS { u64::MAX >> (u64::BITS as usize - self.len()) } else { self.due.sparse() }
    }

    /// Makes a chunk of memory ready that is needed soon, if there is one. That may take a millisecond.
    #[inline]
    pub(crate) fn ready_memory(&self) {
        let pools = [self.arena.pool(), self.index.arrays.pool()];
        if let Some(pool) = pools.into_iter().find(|pool| pool.wishes()) {
            pool.make_ready();
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter().map(|shard| &**shard)
    }

    #[inline]
    pub(crate) fn get(&self, shard: usize) -> &Shard {
        &self.shards[shard]
    }

    /// P9. Leaves a notice about a flow that has ended without its shard's lock, so that the next reap finds
    /// it.
    pub(crate) fn notify(&self, flow: FlowAt<K, V>) {
        let (shard, index) = (flow.shard(), flow.index());
        self.shards[shard].notices.leave(index.page(), flow.page().notices(), index.place());
        self.due.lower(shard, Timestamp::ZERO);
    }
}

impl Shard {
    fn new(number: u32, segments: usize) -> Self {
        let state = ShardState {
            locked: Locked::new(number),
            slabs: Default::default(),
            timers: TimerQueue::new(),
            dying: Dying::default(),
            emptying: Emptying::default(),
            segments: std::iter::repeat_with(LockedHalf::default).take(segments).collect(),
            entries: 0,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            notices: Notices::new(),
            switch: Switch::new(),
            counters: Counters::default(),
        }
    }
}
