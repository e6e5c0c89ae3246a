use std::time::Duration;

use crate::{Counters, ShardSet};

/// More than heartbeats and acknowledgements take.
const SILENCE: Duration = Duration::from_secs(3);

/// How the replication of a gateway is doing.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Status {
    /// What has been done so far.
    pub counters: Counters,
    /// The shards that this gateway owns.
    pub owned: ShardSet,
    /// Shards taken while the registry could not be reached, and not entered in it yet.
    pub unconfirmed: ShardSet,
    /// For how long the transport has stored nothing while batches waited for it. Raise an alarm when it is longer
    /// than a few seconds: a standby falls behind.
    pub unacknowledged: Duration,
    /// The time since this gateway received anything from another one. Every gateway sends something every second.
    pub unheard: Duration,
    /// The number of batches in the log that have not been applied yet, as far as the transport knows.
    pub behind: u64,
    /// The time since a sweep was received completely; `None` if none was yet.
    pub sweep_age: Option<Duration>,
}

impl Status {
    /// Whether to raise an alarm: for three seconds the transport has stored nothing, or nothing has come from
    /// others although they own shards.
    pub fn is_silent(&self) -> bool {
        self.unacknowledged >= SILENCE || self.owned != ShardSet::ALL && self.unheard >= SILENCE
    }
}
