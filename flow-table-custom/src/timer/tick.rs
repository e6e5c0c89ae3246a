use std::fmt;

use flow_table_api::Timestamp;

/// A point in time in units of 2²³ ns (8.4 ms), in 39 bits: the resolution of the wheel.
///
/// ```text
///  63 62 61      55 54      47 46      39 38      31 30      23 22                    0
/// +-----+----------+----------+----------+----------+----------+-----------------------+
/// |  0  | digit 4  | digit 3  | digit 2  | digit 1  | digit 0  |     within a tick     |   Timestamp, ns
/// +-----+----------+----------+----------+----------+----------+-----------------------+
///          417 d      39 h       9.2 min     2.1 s     8.4 ms    = one step of the digit
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Tick(u64);

impl Tick {
    const NANOS_BITS: u32 = 23;

    /// Later than all ticks.
    pub(super) const NEVER: Self = Self(u64::MAX);

    pub(super) const fn is_a_time(self) -> bool {
        self.0 != Self::NEVER.0
    }

    #[inline]
    pub(super) const fn of(time: Timestamp) -> Self {
        Self(time.as_nanos() >> Self::NANOS_BITS)
    }

    /// The first nanosecond of the tick.
    #[inline]
    pub(super) const fn start(self) -> Timestamp {
        Timestamp::from_nanos(self.0 << Self::NANOS_BITS)
    }

    /// The first tick with the same digit at `level`, and the same ones above: where the bucket that the tick
    /// falls in at that level begins.
    #[inline]
    pub(super) const fn floor(self, level: usize) -> Self {
        Self(self.0 & u64::MAX << (level as u32 * Bucket::DIGIT_BITS))
    }

    /// The tick in steps of the digit of `level`.
    #[inline]
    const fn steps(self, level: usize) -> u64 {
        self.0 >> (level as u32 * Bucket::DIGIT_BITS)
    }
}

impl fmt::Debug for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tick {} ({:?})", self.0, self.start())
    }
}

/// A bucket of the wheel: a level and a digit, `level << 8 | digit`.
///
/// Seen from a cursor, it stands for the next ticks that have this digit at the level, and any digits below.
/// They are at most 255 steps of the level after the cursor.
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

    /// Where `tick` belongs seen from `cursor`: on the lowest level that reaches so far. `None` if `tick` is
    /// not after `cursor`.
    #[inline]
    pub(super) const fn of(tick: Tick, cursor: Tick) -> Option<Self> {
        if tick.0 <= cursor.0 {
            return None;
        }
        let mut level = ((tick.0 - cursor.0).ilog2() / Self::DIGIT_BITS) as usize;
        // 256 steps, when the cursor is not at the beginning of its own.
        level += (tick.steps(level) - cursor.steps(level)) as usize >> Self::DIGIT_BITS;
        Some(Self::at(level, tick))
    }

    /// The bucket of a level that `tick` falls in.
    #[inline]
    pub(super) const fn at(level: usize, tick: Tick) -> Self {
        Self::new(level, tick.steps(level) as usize & (Self::PER_LEVEL - 1))
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
        let steps = cursor.steps(self.level());
        let ahead = (self.digit() as u64).wrapping_sub(steps) & (Self::PER_LEVEL as u64 - 1);
        Tick((steps + ahead) << (self.level() as u32 * Self::DIGIT_BITS))
    }

    /// The last tick of the bucket whose first tick this is.
    #[inline]
    pub(super) const fn last_tick(self, first: Tick) -> Tick {
        Tick(first.0 | ((1 << (self.level() as u32 * Self::DIGIT_BITS)) - 1))
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
        assert_eq!(last.0, (1 << 39) - 1);
        let top = Bucket::LEVELS - 1;
        assert_eq!(Bucket::of(last, Tick(0)), Some(Bucket::new(top, 127)));
    }

    /// Ticks close to each other as often as far apart, and some 255 or 256 steps of a level apart.
    fn ticks() -> impl Strategy<Value = (Tick, Tick)> {
        let by_size = (0u64..1 << 39, 0u32..40).prop_map(|(distance, shift)| distance >> shift);
        let by_steps = (0u64..1 << 24, 1u32..4)
            .prop_map(|(less, level)| (1 << (8 * level + 8)) - (less & ((1 << (8 * level)) - 1)));
        let distance = prop_oneof![3 => by_size, 1 => by_steps];
        (0u64..1 << 39, distance)
            .prop_map(|(from, distance)| (Tick((from + distance).min((1 << 39) - 1)), Tick(from)))
    }

    proptest! {
        #[test]
        fn a_bucket_holds_exactly_the_ticks_filed_in_it((tick, cursor) in ticks()) {
            let Some(bucket) = Bucket::of(tick, cursor) else {
                prop_assert!(tick <= cursor);
                return Ok(());
            };
            let first = bucket.first_tick(cursor);
            let last = bucket.last_tick(first);
            prop_assert!(cursor < first && first <= tick && tick <= last);
            prop_assert_eq!(tick.floor(bucket.level()), first);
            prop_assert_eq!(Bucket::of(last, cursor), Some(bucket));
            prop_assert_eq!(Bucket::at(bucket.level(), tick), bucket);
            prop_assert_eq!(Bucket::new(bucket.level(), bucket.digit()), bucket);
            // The same seen from anywhere up to the bucket's own end, as when it has been opened.
            for later in [Tick(cursor.0 + 1), first, tick, last] {
                prop_assert_eq!(bucket.first_tick(later), first);
            }
        }
    }
}
