//! Durations as people write them.

use std::str::FromStr;
use std::time::Duration;

use flow_table::Timeout;

/// The idle timeout of all flows: `90`, `60s`, `1.5m`, `1h30m`, `250ms`; zero means none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleTimeout(Timeout);

/// Why a text is not an idle timeout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration such as 60s, 1.5m, 1h30m or 250ms, or 0 for none")]
pub struct IdleTimeoutError;

impl IdleTimeout {
    /// The timeout for the table, or [`Timeout::NEVER`] if there is none.
    pub const fn timeout(self) -> Timeout {
        self.0
    }
}

impl FromStr for IdleTimeout {
    type Err = IdleTimeoutError;

    fn from_str(text: &str) -> Result<Self, IdleTimeoutError> {
        let nanos = nanos(text.trim()).ok_or(IdleTimeoutError)?;
        Ok(Self(match nanos {
            0 => Timeout::NEVER,
            // A value beyond 64 bits is longer than any timeout that can be stored.
            nanos => u64::try_from(nanos).map_or(Timeout::NEVER, |nanos| Duration::from_nanos(nanos).into()),
        }))
    }
}

/// Parses a duration in the same form. The longest is 584 years.
///
/// # Errors
///
/// Returns an error if the text has another form.
pub fn duration(text: &str) -> Result<Duration, IdleTimeoutError> {
    let nanos = nanos(text.trim()).ok_or(IdleTimeoutError)?;
    Ok(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
}

fn nanos(mut text: &str) -> Option<u128> {
    if text.is_empty() {
        return None;
    }
    let mut total = 0u128;
    while !text.is_empty() {
        let number_len = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, rest) = text.split_at(number_len);
        let unit_len = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (unit, rest) = rest.split_at(unit_len);
        total = total.checked_add(scaled(number, unit_nanos(unit)?)?)?;
        text = rest;
    }
    Some(total)
}

fn unit_nanos(unit: &str) -> Option<u128> {
    Some(match unit.trim() {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" | "min" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        "d" => 86_400 * 1_000_000_000,
        _ => return None,
    })
}

/// Converts a decimal number of units to nanoseconds. Fractions of a nanosecond are an error, unless they are
/// zero.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let parse = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u128>().ok() };
    let fraction = fraction.trim_end_matches('0');
    let denominator = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = parse(fraction)?.checked_mul(unit)?;
    if !part.is_multiple_of(denominator) {
        return None;
    }
    parse(whole)?.checked_mul(unit)?.checked_add(part / denominator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("60", 60_000_000_000)]
    #[case("60s", 60_000_000_000)]
    #[case(" 60 s ", 60_000_000_000)]
    #[case("1.5", 1_500_000_000)]
    #[case(".25s", 250_000_000)]
    #[case("1h30m", 5_400_000_000_000)]
    #[case("1m 0.5s", 60_500_000_000)]
    #[case("2min", 120_000_000_000)]
    #[case("1d", 86_400_000_000_000)]
    #[case("15ms", 15_000_000)]
    #[case("7us", 7_000)]
    #[case("7µs", 7_000)]
    #[case("1.0ns", 1)]
    fn durations(#[case] text: &str, #[case] nanos: u64) {
        assert_eq!(text.parse::<IdleTimeout>().map(|idle| idle.timeout().as_nanos()), Ok(nanos));
    }

    #[rstest]
    #[case("0")]
    #[case("0s")]
    #[case("0.0h")]
    #[case("99999999999d")]
    fn none(#[case] text: &str) {
        assert_eq!(text.parse::<IdleTimeout>().map(IdleTimeout::timeout), Ok(Timeout::NEVER));
    }

    #[rstest]
    #[case("")]
    #[case("s")]
    #[case(".")]
    #[case("-1")]
    #[case("1x")]
    #[case("1.2.3")]
    #[case("0.5ns")]
    #[case("sixty")]
    #[case("1e3")]
    #[case("340282366920938463463374607431768211456")]
    fn refused(#[case] text: &str) {
        assert_eq!(text.parse::<IdleTimeout>(), Err(IdleTimeoutError));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-0-9.a-zµ ]{0,60}|\\PC*") {
            let _ = text.parse::<IdleTimeout>();
        }
    }
}
