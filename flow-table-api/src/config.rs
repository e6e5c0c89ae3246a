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
    shards: Option<NonZeroUsize>,
    hash_seed: Option<u64>,
    refresh_slack: Duration,
    active_timeout: Duration,
}

impl TableConfig {
    /// A table for at most `capacity` flows (contract C1). The table allocates memory for the flows that it
    /// holds, not for its capacity.
    pub const fn new(capacity: usize) -> Self {
        Self {
            capacity,
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
