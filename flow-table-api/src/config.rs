use std::any::Any;
use std::hash::BuildHasher;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::KeyHasher;

/// The settings of a new table.
///
/// ```
/// # use flow_table_api::TableConfig;
/// let config = TableConfig::new(1_000_000).shards(16);
/// ```
#[derive(Clone, Debug)]
pub struct TableConfig {
    capacity: usize,
    prefault: [usize; 2],
    shards: Option<NonZeroUsize>,
    hash_seed: Option<u64>,
    refresh_slack: Duration,
    active_timeout: Duration,
}

impl TableConfig {
    /// A table for at most `capacity` flows (contract C1). The table allocates memory for the flows that it
    /// holds, not for its capacity, unless it is told to [`prefault`](Self::prefault).
    pub const fn new(capacity: usize) -> Self {
        Self {
            capacity,
            prefault: [0; 2],
            shards: None,
            hash_seed: None,
            refresh_slack: Duration::ZERO,
            active_timeout: Duration::MAX,
        }
    }

    /// Sets the number of shards: the parts of the table that are locked independently. The backend may change
    /// the number, normally to the next power of two, and may limit it. The default is a multiple of the number
    /// of processors. Zero means one.
    pub const fn shards(mut self, shards: usize) -> Self {
        self.shards = NonZeroUsize::new(if shards == 0 { 1 } else { shards });
        self
    }

    /// Makes memory ready for so many flows with one key, or for as many as the capacity, when the table is made:
    /// mapped, written to, and in huge pages where the system has them. The table keeps it until it is dropped,
    /// also in [`shrink_to_fit`](crate::Table::shrink_to_fit), and [`memory`](crate::Table::memory) counts it.
    /// The default is zero.
    ///
    /// An insertion then takes no memory from the system and waits for no page, while the table has no more flows
    /// than these, counting those that have ended and are held, not reaped yet, or may be seen by open bursts.
    /// That assumes hashes that spread evenly, as those of a good hasher do, and a system that leaves memory
    /// where it is (see `mlockall`). More flows get memory as they come.
    ///
    /// What the system refuses is not ready, and is asked for again when it is needed. A system that promises
    /// more than it has may end the process. The thread that makes the table writes to the memory, so that a
    /// system with several memory nodes takes it from the node of this thread.
    ///
    /// A backend that can't do this ignores it. (Of those here, `custom` does it, in units of 2 MiB, and with
    /// some 130 KiB more for each shard. `dashmap` takes memory from the allocator, flow by flow.)
    pub const fn prefault(mut self, flows: usize) -> Self {
        self.prefault[0] = flows;
        self
    }

    /// As [`prefault`](Self::prefault), for so many flows with two keys besides.
    pub const fn prefault_pairs(mut self, flows: usize) -> Self {
        self.prefault[1] = flows;
        self
    }

    /// The flows to make memory ready for: with one key, and with two. Each number is at most the capacity.
    pub const fn prefaulted(&self) -> [usize; 2] {
        const fn min(a: usize, b: usize) -> usize {
            if a < b { a } else { b }
        }
        [min(self.prefault[0], self.capacity), min(self.prefault[1], self.capacity)]
    }

    /// Fixes the seed of the hash function, for tests. Never do this where others choose the keys (contract
    /// C4). It has no effect on tables whose hasher is not [`KeyHasher`].
    pub const fn hash_seed(mut self, seed: u64) -> Self {
        self.hash_seed = Some(seed);
        self
    }

    /// Sets how much later than its timeout asks a refreshed flow may expire (contract D5). The default is zero.
    ///
    /// A refresh that has to move the deadline moves it by so much more. The refreshes that follow within that
    /// time then find the deadline late enough, and write nothing. So a busy flow is written about once in
    /// `slack`, not for each packet. A flow never expires early. The backend may use less slack than this, or
    /// none. (The Linux connection tracking refreshed its flows once a second for the same reason.)
    pub const fn refresh_slack(mut self, slack: Duration) -> Self {
        self.refresh_slack = slack;
        self
    }

    /// The slack of refreshes.
    pub const fn slack(&self) -> Duration {
        self.refresh_slack
    }

    /// Sets how long a flow lives, at most, before [`Table::reap_asking`](crate::Table::reap_asking) asks about
    /// it, and then before it asks again (contract R8). The default is for ever: it then asks about flows whose
    /// deadlines have passed, and about live ones when it happens to look at them.
    pub const fn active_timeout(mut self, period: Duration) -> Self {
        // A flow that is filed anew comes up later than now.
        self.active_timeout = if period.is_zero() { Duration::from_nanos(1) } else { period };
        self
    }

    /// How long a flow lives, at most, before a reap asks about it.
    pub const fn asks_after(&self) -> Duration {
        self.active_timeout
    }

    /// The most flows that the table may hold.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// The number of shards that was asked for, if any.
    pub const fn wished_shards(&self) -> Option<NonZeroUsize> {
        self.shards
    }

    /// A hasher for a new table: a [`KeyHasher`] with the given seed, or else the default of `S`, which is
    /// expected to draw a new seed for each call.
    pub fn hasher<S: BuildHasher + Default + 'static>(&self) -> S {
        let seeded = self.hash_seed.map(|seed| Box::new(KeyHasher::with_seed(seed)) as Box<dyn Any>);
        seeded.and_then(|hasher| hasher.downcast().ok()).map_or_else(S::default, |hasher| *hasher)
    }
}
