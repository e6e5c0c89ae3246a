use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::{Duration, SystemTime};

/// A point in time: integer nanoseconds on a clock that the caller owns (contract T1).
///
/// The table never reads a clock. The caller chooses what zero means: the start of the program, the Unix epoch,
/// the first packet of a capture. All arithmetic saturates (contract T2).
///
/// The largest timestamp is [`Timestamp::MAX`]: 2⁶² − 1 ns, or 146 years, after zero. The other two bits of a
/// 64-bit word hold the status of a flow (contract D2).
///
/// ```
/// # use flow_table_api::Timestamp;
/// # use std::time::Duration;
/// let start = Timestamp::from_nanos(5);
/// assert_eq!(start + Duration::from_nanos(7), Timestamp::from_nanos(12));
/// assert_eq!(Timestamp::MAX + Duration::from_secs(1), Timestamp::MAX);
/// assert_eq!(start.saturating_since(Timestamp::MAX), Duration::ZERO);
/// assert_eq!((Timestamp::from_millis(1_500) - Duration::from_millis(250)).to_string(), "1.250000000s");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamp(u64);

impl Timestamp {
    /// Zero on the caller's clock.
    pub const ZERO: Self = Self(0);
    /// The largest timestamp. A deadline of `MAX` is not due before `now` itself is `MAX`.
    pub const MAX: Self = Self((1 << 62) - 1);

    /// The timestamp `nanos` nanoseconds after zero, at most [`MAX`](Self::MAX).
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Self {
        if nanos > Self::MAX.0 { Self::MAX } else { Self(nanos) }
    }

    /// The timestamp `seconds` seconds after zero, at most [`MAX`](Self::MAX).
    #[inline]
    pub const fn from_secs(seconds: u64) -> Self {
        Self::from_nanos(seconds.saturating_mul(1_000_000_000))
    }

    /// The timestamp `millis` milliseconds after zero, at most [`MAX`](Self::MAX).
    #[inline]
    pub const fn from_millis(millis: u64) -> Self {
        Self::from_nanos(millis.saturating_mul(1_000_000))
    }

    /// The timestamp `micros` microseconds after zero, at most [`MAX`](Self::MAX).
    #[inline]
    pub const fn from_micros(micros: u64) -> Self {
        Self::from_nanos(micros.saturating_mul(1_000))
    }

    /// Nanoseconds since zero.
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time of the system at this timestamp, if zero is the Unix epoch. `None` if the system cannot
    /// represent it.
    pub fn to_system_time(self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(self.0))
    }

    /// `self` moved on by `duration`, at most [`MAX`](Self::MAX). The same as `self + duration`.
    #[inline]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self::from_nanos(self.0.saturating_add(saturating_nanos(duration)))
    }

    /// The time from `earlier` to `self`, or zero if `earlier` is not earlier.
    #[inline]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// `self` moved back by `duration`, at least [`ZERO`](Self::ZERO). The same as `self - duration`.
    #[inline]
    pub const fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_nanos(duration)))
    }
}

#[inline]
pub(crate) const fn saturating_nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos() as u64)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at [`Timestamp::MAX`].
    #[inline]
    fn add(self, duration: Duration) -> Self {
        self.saturating_add(duration)
    }
}

impl AddAssign<Duration> for Timestamp {
    /// Saturates at [`Timestamp::MAX`].
    #[inline]
    fn add_assign(&mut self, duration: Duration) {
        *self = self.saturating_add(duration);
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at [`Timestamp::ZERO`].
    #[inline]
    fn sub(self, duration: Duration) -> Self {
        self.saturating_sub(duration)
    }
}

impl SubAssign<Duration> for Timestamp {
    /// Saturates at [`Timestamp::ZERO`].
    #[inline]
    fn sub_assign(&mut self, duration: Duration) {
        *self = self.saturating_sub(duration);
    }
}

impl Sub for Timestamp {
    type Output = Duration;

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    #[inline]
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

impl From<SystemTime> for Timestamp {
    /// Zero is the Unix epoch. Earlier times become [`Timestamp::ZERO`].
    fn from(time: SystemTime) -> Self {
        time.duration_since(SystemTime::UNIX_EPOCH).map_or(Self::ZERO, |since| Self::ZERO + since)
    }
}

impl fmt::Display for Timestamp {
    /// Seconds since zero, to the nanosecond.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arithmetic_saturates_and_agrees_with_itself(nanos: u64, seconds: u64, less: u32) {
            let (time, duration) = (Timestamp::from_nanos(nanos), Duration::new(seconds, less % 1_000_000_000));
            let sum = u128::from(time.as_nanos()) + duration.as_nanos();
            let most = u128::from(Timestamp::MAX.as_nanos());
            prop_assert_eq!(u128::from((time + duration).as_nanos()), sum.min(most));
            let difference = u128::from(time.as_nanos()).saturating_sub(duration.as_nanos());
            prop_assert_eq!(u128::from((time - duration).as_nanos()), difference);
            let (mut later, mut earlier) = (time, time);
            later += duration;
            earlier -= duration;
            prop_assert_eq!((later, earlier), (time.saturating_add(duration), time.saturating_sub(duration)));
            prop_assert_eq!(earlier - later, Duration::ZERO);
            prop_assert_eq!(time + (later - time), later);
        }

        #[test]
        fn the_systems_time_goes_there_and_back(nanos: u64) {
            let time = Timestamp::from_nanos(nanos);
            if let Some(system) = time.to_system_time() {
                prop_assert_eq!(Timestamp::from(system), time);
            }
        }
    }

    #[test]
    fn units_and_ends() {
        assert_eq!(Timestamp::from_millis(2), Timestamp::from_micros(2_000));
        assert_eq!([Timestamp::from_millis(u64::MAX), Timestamp::from_micros(u64::MAX)], [Timestamp::MAX; 2]);
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from(before), Timestamp::ZERO);
        assert_eq!(Timestamp::from_nanos(1_000_000_001).to_string(), "1.000000001s");
    }
}
