use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Whether the transport stores what is published, and whether a standby hears anything.
#[derive(Debug, Default)]
pub struct Health {
    /// For how long nothing has been stored while something was to be stored, in nanoseconds.
    silent: AtomicU64,
    /// For how long the standby has received nothing.
    deaf: AtomicU64,
}

/// More than an acknowledgement takes; a transport that is silent for longer is down, or next to it.
const PATIENCE: Duration = Duration::from_millis(500);

impl Health {
    pub fn report(&self, silent: Duration) {
        // Relaxed: a gauge.
        self.silent.store(nanos(silent), Ordering::Relaxed);
    }

    pub fn heard(&self, since: Duration) {
        self.deaf.store(nanos(since), Ordering::Relaxed);
    }

    pub fn is_storing(&self) -> bool {
        self.unacknowledged() < PATIENCE
    }

    /// The age of the silence of the transport while batches wait for it.
    pub fn unacknowledged(&self) -> Duration {
        Duration::from_nanos(self.silent.load(Ordering::Relaxed))
    }

    /// The time since a standby received something.
    pub fn unheard(&self) -> Duration {
        Duration::from_nanos(self.deaf.load(Ordering::Relaxed))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
