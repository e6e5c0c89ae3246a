use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Timestamp;

/// A source of [`Timestamp`]s. Tables never read a clock. Callers do, usually once for each burst (contract
/// T1).
pub trait Clock {
    /// The current time. It may step back between calls; tables tolerate that (contract T2).
    fn now(&self) -> Timestamp;
}

/// Nanoseconds since the clock was made, from [`Instant`]. It never steps back.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock(Instant);

impl MonotonicClock {
    /// A clock whose zero is now.
    pub fn new() -> Self {
        Self::starting_at(Instant::now())
    }

    /// A clock whose zero is `zero`. If that is in the future, the clock shows zero until then.
    pub const fn starting_at(zero: Instant) -> Self {
        Self(zero)
    }

    /// What the clock shows at `instant`: zero if that is before the clock's zero.
    pub fn at(&self, instant: Instant) -> Timestamp {
        Timestamp::ZERO + instant.saturating_duration_since(self.0)
    }

    /// When the clock shows `time`, or `None` if the system cannot represent that. With
    /// [`next_deadline`](crate::Table::next_deadline), an event loop knows how long it may sleep.
    pub fn instant(&self, time: Timestamp) -> Option<Instant> {
        self.0.checked_add(Duration::from_nanos(time.as_nanos()))
    }
}

impl Default for MonotonicClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MonotonicClock {
    #[inline]
    fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }
}

/// A clock that stands still until it is moved, forward or back. It is meant for tests and for replaying
/// captures.
///
/// ```
/// # use flow_table_api::{Clock, ManualClock, Timestamp};
/// # use std::time::Duration;
/// let clock = ManualClock::new(Timestamp::ZERO);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), Timestamp::from_secs(60));
/// ```
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.as_nanos()))
    }

    /// Moves the clock to `now`, forward or back.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// Moves the clock forward, at most to [`Timestamp::MAX`].
    pub fn advance(&self, duration: Duration) {
        let later = |nanos| Some((Timestamp::from_nanos(nanos) + duration).as_nanos());
        // Relaxed: the clock orders nothing but itself. The closure never returns `None`.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_instants_lead_to_each_other() {
        let (zero, second) = (Instant::now(), Duration::from_secs(1));
        let clock = MonotonicClock::starting_at(zero);
        assert_eq!(clock.at(zero + second), Timestamp::from_secs(1));
        assert_eq!(clock.instant(Timestamp::from_secs(1)), Some(zero + second));
        assert_eq!(MonotonicClock::starting_at(zero + second).at(zero), Timestamp::ZERO);
        assert_eq!(MonotonicClock::starting_at(zero + 1_000 * second).now(), Timestamp::ZERO);
    }
}
