/// How a pcapng interface counts time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resolution {
    /// Ticks per second as a negative power of 2 if the top bit is set, else of 10.
    pub(super) unit: u8,
    /// Seconds to add.
    pub(super) offset_seconds: i64,
}

const NANOS: i128 = 1_000_000_000;

impl Resolution {
    pub(super) const MICROSECONDS: Self = Self { unit: 6, offset_seconds: 0 };

    /// Returns nanoseconds since the epoch, rounded down. The result is exact: 64 bits of seconds and 64 of offset
    /// fit easily.
    pub(super) fn timestamp(self, ticks: u64) -> i128 {
        let exponent = u32::from(self.unit & 0x7f);
        let scaled = i128::from(ticks) * NANOS;
        let nanos = if self.unit & 0x80 != 0 {
            scaled >> exponent
        } else {
            // A power that does not fit is larger than any dividend.
            10i128.checked_pow(exponent).map_or(0, |units| scaled / units)
        };
        nanos + i128::from(self.offset_seconds) * NANOS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::seconds(0, 7, 7_000_000_000)]
    #[case::milliseconds(3, 1_001, 1_001_000_000)]
    #[case::nanoseconds(9, 5, 5)]
    #[case::picoseconds_are_cut(12, 1_999, 1)]
    #[case::powers_of_two(0x80 | 10, 1_536, 1_500_000_000)]
    #[case::finest_decimal(127, u64::MAX, 0)]
    #[case::finest_binary(0xff, u64::MAX, 0)]
    #[case::coarsest(0, u64::MAX, 18_446_744_073_709_551_615_000_000_000)]
    fn units(#[case] unit: u8, #[case] ticks: u64, #[case] nanos: i128) {
        assert_eq!(Resolution { unit, offset_seconds: 0 }.timestamp(ticks), nanos);
    }

    #[test]
    fn offsets_may_be_negative_and_huge() {
        assert_eq!(Resolution { unit: 6, offset_seconds: -3 }.timestamp(1), -2_999_999_000);
        for offset_seconds in [i64::MIN, i64::MAX] {
            let nanos = Resolution { unit: 0, offset_seconds }.timestamp(u64::MAX);
            assert_eq!(nanos, (i128::from(u64::MAX) + i128::from(offset_seconds)) * NANOS);
        }
    }
}
