use std::time::Duration;

use crate::{ClusterKey, Epoch};

/// How a table is replicated. All gateways of a cluster need the same [`ClusterKey`], and
/// about the same [`sweep_interval`](Self::sweep_interval).
///
/// ```
/// # use flow_table_replicate::{ClusterKey, Settings};
/// # use std::time::Duration;
/// let settings = Settings::new(ClusterKey::new(*b"from the secrets")).sweep_interval(Duration::from_secs(20));
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) cluster_key: ClusterKey,
    pub(crate) owned: Option<Epoch>,
    pub(crate) buffer_records: u16,
    pub(crate) ring_buffers: usize,
    pub(crate) sweep_interval: Duration,
    pub(crate) acknowledgement: Duration,
    pub(crate) give_up: Duration,
    pub(crate) window: usize,
    pub(crate) tombstones: usize,
}

impl Settings {
    /// Settings for an owner of all shards in epoch 1, and otherwise the defaults.
    pub const fn new(cluster_key: ClusterKey) -> Self {
        Self {
            cluster_key,
            owned: Some(Epoch::new(1)),
            buffer_records: 512,
            ring_buffers: 256,
            sweep_interval: Duration::from_secs(20),
            acknowledgement: Duration::from_secs(1),
            give_up: Duration::from_secs(5),
            window: 64,
            tombstones: 1 << 20,
        }
    }

    /// Owns no shard at first: a standby, or a gateway that claims its shards.
    pub const fn standby(mut self) -> Self {
        self.owned = None;
        self
    }

    /// Owns all shards from the start, in this epoch. A process that starts again must use a later epoch than
    /// before, else standbys take its records for old ones. With NATS, [claiming](crate::Gateway::promote) does
    /// it.
    pub const fn epoch(mut self, epoch: Epoch) -> Self {
        self.owned = Some(epoch);
        self
    }

    /// Sets how many records a thread's buffer takes before it is handed over, 1 to 4,096; 512 by default. A
    /// buffer that is not full is handed over after 2 ms.
    pub const fn buffer_records(mut self, records: u16) -> Self {
        self.buffer_records = match records {
            0 => 1,
            1..=4096 => records,
            _ => 4096,
        };
        self
    }

    /// Sets how many full buffers may wait for the publisher, at least 1; 256 by default. Together with the
    /// [window](Self::window) this bounds the memory, at most [`MAX_BATCH`](crate::record::MAX_BATCH) bytes each.
    pub const fn ring_buffers(mut self, buffers: usize) -> Self {
        self.ring_buffers = if buffers == 0 { 1 } else { buffers };
        self
    }

    /// Sets the time from one sweep to the next; 20 seconds by default. What is lost is back after two sweeps.
    pub const fn sweep_interval(mut self, interval: Duration) -> Self {
        self.sweep_interval = interval;
        self
    }

    /// Sets how long the publisher waits for an acknowledgement before it publishes a batch again; 1 second by
    /// default.
    pub const fn acknowledgement(mut self, timeout: Duration) -> Self {
        self.acknowledgement = timeout;
        self
    }

    /// Sets for how long the publisher tries to publish a batch; 5 seconds by default. Then it drops the batch,
    /// and the next sweep repeats the batch's shards.
    pub const fn give_up(mut self, after: Duration) -> Self {
        self.give_up = after;
        self
    }

    /// Sets how many batches may be published and not acknowledged, at least 1; 64 by default.
    pub const fn window(mut self, batches: usize) -> Self {
        self.window = if batches == 0 { 1 } else { batches };
        self
    }

    /// Sets how many ended flows a standby remembers, in order to refuse late records of them; a million by
    /// default, of about 60 bytes each. It forgets the oldest first, and all of them after two sweeps and twice
    /// the time after which an owner [gives up](Self::give_up).
    pub const fn tombstones(mut self, flows: usize) -> Self {
        self.tombstones = flows;
        self
    }

    /// How much later than the owner a standby lets flows expire: two sweeps.
    pub const fn slack(&self) -> Duration {
        self.sweep_interval.saturating_mul(2)
    }
}

impl Default for Settings {
    /// Settings with a cluster key that nobody else has: no standby can follow, except one that is given a clone
    /// of these settings.
    fn default() -> Self {
        Self::new(ClusterKey::random())
    }
}
