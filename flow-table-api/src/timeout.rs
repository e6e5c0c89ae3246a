use std::fmt;
use std::time::Duration;

use crate::Timestamp;
use crate::time::saturating_nanos;

/// The time after which a flow expires if it is not refreshed, in 28 bits.
///
/// ```text
///  27   26 25                         0
/// +-------+----------------------------+
/// | unit  |           count            |     unit: 0 ns, 1 µs, 2 ms, 3 s
/// +-------+----------------------------+
/// ```
///
/// A timeout is exact for whole nanoseconds up to 67 ms, whole microseconds up to 67 s, whole milliseconds up
/// to 18 h and whole seconds up to 2.1 years. Other durations are rounded *up* in the finest unit that can
/// hold them, by less than one part in 60,000. Durations beyond 2.1 years become [`Timeout::NEVER`]. Its size
/// lets the timeout share a cache line with the flow's key.
///
/// ```
/// # use flow_table_api::Timeout;
/// # use std::time::Duration;
/// assert_eq!(Timeout::from(Duration::from_secs(120)).as_duration(), Duration::from_secs(120));
/// assert_eq!(Timeout::from(Duration::MAX), Timeout::NEVER);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timeout(u32);

const COUNT_BITS: u32 = 26;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const UNIT_NANOS: [u64; 4] = [1, 1_000, 1_000_000, 1_000_000_000];

impl Timeout {
    /// A flow with this timeout is due at once.
    pub const ZERO: Self = Self(0);
    /// A flow with this timeout never expires: its deadline is [`Timestamp::MAX`].
    pub const NEVER: Self = Self((1 << Self::BITS) - 1);
    /// The number of bits that [`to_bits`](Self::to_bits) uses.
    pub const BITS: u32 = COUNT_BITS + 2;

    /// The timeout in nanoseconds; `u64::MAX` for [`NEVER`](Self::NEVER).
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        if self.0 == Self::NEVER.0 {
            return u64::MAX;
        }
        (self.0 as u64 & COUNT_MAX) * UNIT_NANOS[(self.0 >> COUNT_BITS) as usize & 3]
    }

    /// The timeout as a duration.
    pub const fn as_duration(self) -> Duration {
        Duration::from_nanos(self.as_nanos())
    }

    /// The packed form, below 2²⁸.
    #[inline]
    pub const fn to_bits(self) -> u32 {
        self.0
    }

    /// The timeout whose packed form is the lower 28 bits of `bits`.
    #[inline]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & Self::NEVER.0)
    }
}

impl From<Duration> for Timeout {
    #[inline]
    fn from(duration: Duration) -> Self {
        let nanos = saturating_nanos(duration);
        // The finest unit that can hold it. If a coarser one can hold it exactly, so can this one.
        let fits = |unit: u32| nanos <= COUNT_MAX * UNIT_NANOS[unit as usize];
        let in_unit = |unit: u32| {
            let count = nanos.div_ceil(UNIT_NANOS[unit as usize]);
            Self(unit << COUNT_BITS | count as u32)
        };
        if fits(0) {
            in_unit(0)
        } else if fits(1) {
            in_unit(1)
        } else if fits(2) {
            in_unit(2)
        } else if fits(3) {
            in_unit(3)
        } else {
            Self::NEVER
        }
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER { f.write_str("never") } else { self.as_duration().fmt(f) }
    }
}

impl std::ops::Add<Timeout> for Timestamp {
    type Output = Self;

    /// Saturates at [`Timestamp::MAX`].
    #[inline]
    fn add(self, timeout: Timeout) -> Self {
        Self::from_nanos(self.as_nanos().saturating_add(timeout.as_nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn usual_timeouts_are_exact() {
        for millis in [0, 1, 15, 1_000, 60_000, 90_500, 120_000, 300_000, 3_600_000, 432_000_000] {
            let duration = Duration::from_millis(millis);
            assert_eq!(Timeout::from(duration).as_duration(), duration);
        }
    }

    proptest! {
        #[test]
        fn never_rounds_down_and_hardly_up(nanos: u64) {
            let timeout = Timeout::from(Duration::from_nanos(nanos));
            prop_assert!(timeout.as_nanos() >= nanos);
            if timeout != Timeout::NEVER {
                prop_assert!(timeout.as_nanos() - nanos <= nanos / 60_000 + 1);
            }
            prop_assert_eq!(Timeout::from_bits(timeout.to_bits()), timeout);
        }

        #[test]
        fn exact_within_the_documented_ranges(count in 0..=COUNT_MAX, unit in 0..4usize) {
            prop_assume!((count, unit) != (COUNT_MAX, 3));
            let nanos = count * UNIT_NANOS[unit];
            prop_assert_eq!(Timeout::from(Duration::from_nanos(nanos)).as_nanos(), nanos);
        }
    }
}
