use std::fmt;

use flow_table_api::Timestamp;

/// A point in time in units of 2²² ns (4.2 ms), in 40 bits: the resolution of the wheel.
///
/// ```text
///  63 62 61      54 53      46 45      38 37      30 29      22 21                    0
/// +-----+----------+----------+----------+----------+----------+-----------------------+
/// |  0  | digit 4  | digit 3  | digit 2  | digit 1  | digit 0  |     within a tick     |   Timestamp, ns
/// +-----+----------+----------+----------+----------+----------+-----------------------+
///         1.1 years   1.6 days   4.6 min     1.1 s      4.2 ms    = one step of the digit, at least
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Tick(u64);

impl Tick {
    const NANOS_BITS: u32 = 22;

    #[inline]
    pub(super) const fn of(time: Timestamp) -> Self {
        Self(time.as_nanos() >> Self::NANOS_BITS)
    }

    /// The first nanosecond of the tick.
    #[inline]
    pub(super) const fn start(self) -> Timestamp {
        Timestamp::from_nanos(self.0 << Self::NANOS_BITS)
    }
}

impl fmt::Debug for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tick {} ({:?})", self.0, self.start())
    }
}

/// A bucket of the wheel: a level and a digit, `level << 8 | digit`.
///
/// Seen from a cursor it stands for the ticks that agree with the cursor in all digits above the level, have this digit
/// at the level, and anything below.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bucket(u16);

impl Bucket {
    /// Levels of the wheel: digits of a [`Tick`].
    pub(super) const LEVELS: usize = 5;
    /// Buckets of a level: values of a digit.
    pub(super) const PER_LEVEL: usize = 1 << Self::DIGIT_BITS;
    const DIGIT_BITS: u32 = 8;

    #[inline]
    pub(super) const fn new(level: usize, digit: usize) -> Self {
        debug_assert!(level < Self::LEVELS && digit < Self::PER_LEVEL);
        Self((level << Self::DIGIT_BITS | digit) as u16)
    }

    /// Where `tick` belongs seen from `cursor`: at the highest digit in which they differ. `None` if `tick` is not after
    /// `cursor`.
    #[inline]
    pub(super) const fn of(tick: Tick, cursor: Tick) -> Option<Self> {
        if tick.0 <= cursor.0 {
            return None;
        }
        let level = (tick.0 ^ cursor.0).ilog2() / Self::DIGIT_BITS;
        let digit = (tick.0 >> (level * Self::DIGIT_BITS)) as usize & (Self::PER_LEVEL - 1);
        Some(Self::new(level as usize, digit))
    }

    #[inline]
    pub(super) const fn level(self) -> usize {
        (self.0 >> Self::DIGIT_BITS) as usize
    }

    #[inline]
    pub(super) const fn digit(self) -> usize {
        self.0 as usize & (Self::PER_LEVEL - 1)
    }

    /// The first tick that the bucket stands for, seen from `cursor`.
    #[inline]
    pub(super) const fn first_tick(self, cursor: Tick) -> Tick {
        let shift = self.level() as u32 * Self::DIGIT_BITS;
        let above = cursor.0 >> shift >> Self::DIGIT_BITS << Self::DIGIT_BITS;
        Tick((above | self.digit() as u64) << shift)
    }

    /// The last tick that the bucket stands for, seen from `cursor`.
    #[inline]
    pub(super) const fn last_tick(self, cursor: Tick) -> Tick {
        let below = (1 << (self.level() as u32 * Self::DIGIT_BITS)) - 1;
        Tick(self.first_tick(cursor).0 | below)
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bucket {}:{}", self.level(), self.digit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits_cover_all_time() {
        let last = Tick::of(Timestamp::MAX);
        assert_eq!(last.0, (1 << (Bucket::LEVELS as u32 * Bucket::DIGIT_BITS)) - 1);
        assert_eq!(Bucket::of(last, Tick(0)), Some(Bucket::new(Bucket::LEVELS - 1, Bucket::PER_LEVEL - 1)));
    }

    /// Ticks that differ in few digits as often as in many.
    fn ticks() -> impl Strategy<Value = (Tick, Tick)> {
        (0u64..1 << 40, 0u64..1 << 40, 0u32..40).prop_map(|(a, b, keep)| (Tick(a), Tick(a ^ b >> keep)))
    }

    proptest! {
        #[test]
        fn a_bucket_holds_exactly_the_ticks_filed_in_it((tick, cursor) in ticks()) {
            match Bucket::of(tick, cursor) {
                None => prop_assert!(tick <= cursor),
                Some(bucket) => {
                    let (first, last) = (bucket.first_tick(cursor), bucket.last_tick(cursor));
                    prop_assert!(cursor < first && first <= tick && tick <= last);
                    prop_assert_eq!(Bucket::of(first, cursor), Some(bucket));
                    prop_assert_eq!(Bucket::of(last, cursor), Some(bucket));
                    prop_assert_eq!(Bucket::new(bucket.level(), bucket.digit()), bucket);
                    // Also seen from within, as when the bucket has been opened.
                    prop_assert_eq!(bucket.first_tick(tick), first);
                    prop_assert_eq!(bucket.last_tick(tick), last);
                }
            }
        }
    }
}
