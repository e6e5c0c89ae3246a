use std::fmt;
use std::time::Duration;

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
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
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

    /// Nanoseconds since zero.
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, or zero if `earlier` is not earlier.
    #[inline]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// `self` moved back by `duration`, at least [`ZERO`](Self::ZERO).
    #[inline]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_nanos(duration)))
    }
}

#[inline]
pub(crate) const fn saturating_nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos() as u64)
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at [`Timestamp::MAX`].
    #[inline]
    fn add(self, duration: Duration) -> Self {
        Self::from_nanos(self.0.saturating_add(saturating_nanos(duration)))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}
