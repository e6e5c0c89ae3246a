//! The shards of a table: the parts that are locked apart from each other. Each has the entries of its flows, their timers, and the
//! segments whose keys' hashes lead to it. All that a shard's lock protects is reached through [`ShardGuard`].

mod capacity;
mod counters;
mod due;
mod dying;
mod filed;
mod guard;
mod locks;
mod switch;

use crossbeam::utils::CachePadded;
use flow_table_api::{TableConfig, Timestamp};

pub(crate) use capacity::Capacity;
pub(crate) use counters::{Counter, Counters};
pub(crate) use due::DueTimes;
use dying::Dying;
pub(crate) use guard::ShardGuard;
pub(crate) use locks::{Locks, ShardSet};
pub(crate) use switch::{Replacement, Switch};

use crate::flows::{Arena, FlowAt, Locked, Notices, Slab};
use crate::hash::KeyHashes;
use crate::index::{Index, LockedHalf, SEGMENTS};
use crate::sync::{Mutex, MutexGuard};
use crate::timer::TimerQueue;

const SHARDS_MAX: usize = if SEGMENTS < 64 { SEGMENTS } else { 64 };

/// The shards, and what they have in common.
pub(crate) struct Shards<K, V> {
    pub(crate) arena: Arena<K, V>,
    pub(crate) index: Index,
    pub(crate) due: DueTimes,
    pub(crate) capacity: Capacity,
    shards: Box<[CachePadded<Shard>]>,
}

/// One shard.
pub(crate) struct Shard {
    state: Mutex<ShardState>,
    pub(crate) notices: Notices,
    pub(crate) switch: Switch,
    pub(crate) counters: Counters,
}

/// What the lock of a shard protects.
struct ShardState {
    locked: Locked,
    /// One-key flows and two-key flows.
    slabs: [Slab; 2],
    timers: TimerQueue,
    dying: Dying,
    segments: Box<[LockedHalf]>,
    /// Entries in use.
    entries: usize,
    /// The table is gone: whoever frees an entry from now on counts it in the core.
    closed: bool,
}

impl<K, V> Shards<K, V> {
    pub(crate) fn new(config: &TableConfig, processors: usize) -> Self {
        let wished = config.wished_shards().map_or(processors * 4, |wished| wished.get());
        let shards = wished.min(SHARDS_MAX).next_power_of_two();
        let index = Index::new(shards.trailing_zeros());
        let shard = |number| CachePadded::new(Shard::new(number as u32, index.per_shard()));
        Self {
            arena: Arena::new(),
            due: DueTimes::new(shards),
            capacity: Capacity::new(config.capacity()),
            shards: (0..shards).map(shard).collect(),
            index,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter().map(|shard| &**shard)
    }

    #[inline]
    pub(crate) fn get(&self, shard: usize) -> &Shard {
        &self.shards[shard]
    }

    #[inline]
    pub(crate) fn lock(&self, shard: usize) -> ShardGuard<'_, K, V> {
        ShardGuard::new(self, shard, self.shards[shard].state.lock())
    }

    /// The lock, if it is free or the caller will `wait`.
    #[inline]
    pub(crate) fn enter(&self, shard: usize, wait: bool) -> Option<ShardGuard<'_, K, V>> {
        let state: MutexGuard<'_, ShardState> =
            if wait { self.shards[shard].state.lock() } else { self.shards[shard].state.try_lock()? };
        Some(ShardGuard::new(self, shard, state))
    }

    /// The shards of these keys.
    #[inline]
    pub(crate) fn set_of(&self, hashes: KeyHashes) -> ShardSet {
        let mut set = ShardSet::one(self.index.shard_of(hashes.forward));
        if let Some(hash) = hashes.reply {
            set.add(self.index.shard_of(hash));
        }
        set
    }

    /// A flow ended without its shard's lock: its shard learns of it, and the next reap finds it.
    pub(crate) fn notify(&self, flow: FlowAt<K, V>) {
        let (shard, index) = (flow.shard(), flow.index());
        self.shards[shard].notices.leave(index.page(), flow.page().notices(), index.place());
        self.due.lower(shard, Timestamp::ZERO);
    }

    /// Bytes of the shards and of what they have.
    pub(crate) fn memory(&self) -> usize {
        let shards: usize = (0..self.len()).map(|shard| self.lock(shard).memory()).sum();
        let pages = self.arena.pool(false).resident() + self.arena.pool(true).resident();
        shards + pages + self.index.memory() + size_of_val(&*self.shards)
    }
}

impl Shard {
    fn new(number: u32, segments: usize) -> Self {
        let state = ShardState {
            locked: Locked::new(number),
            slabs: Default::default(),
            timers: TimerQueue::new(),
            dying: Dying::default(),
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
