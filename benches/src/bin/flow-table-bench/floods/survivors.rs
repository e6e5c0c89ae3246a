use std::str::FromStr;

/// Which flows of a flood outlive it, until the next flood is reaped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Survivors {
    /// None. The flows that last are there before the first flood, and stay.
    OnTop,
    /// Each n-th.
    Every(u64),
    /// So many parts of a thousand, at random.
    Random(u64),
}

impl Survivors {
    /// Returns `true` if the flow with this number outlives its flood.
    pub(super) fn has(self, number: u64) -> bool {
        match self {
            Self::OnTop => false,
            Self::Every(nth) => number.is_multiple_of(nth),
            Self::Random(parts) => mixed(number) % 1_000 < parts,
        }
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
const fn mixed(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

impl FromStr for Survivors {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str, most: u64| match text.parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(format!("{text:?} is not a number from 1 to {most}")),
        };
        match text.split_once(':') {
            None if text == "on-top" => Ok(Self::OnTop),
            Some(("every", nth)) => Ok(Self::Every(number(nth, 1 << 26)?)),
            Some(("random", parts)) => Ok(Self::Random(number(parts, 1_000)?)),
            _ => Err(format!("{text:?} is none of on-top, every:N and random:PARTS")),
        }
    }
}

impl std::fmt::Display for Survivors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OnTop => f.write_str("on-top"),
            Self::Every(nth) => write!(f, "every:{nth}"),
            Self::Random(parts) => write!(f, "random:{parts}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_as_they_are_written() {
        for text in ["on-top", "every:100", "random:10"] {
            assert_eq!(text.parse::<Survivors>().map(|survivors| survivors.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "every", "every:0", "random:1001", "every:x", "none"] {
            assert!(text.parse::<Survivors>().is_err(), "{text}");
        }
    }

    #[test]
    fn so_many_survive() {
        let count = |survivors: Survivors| (0..100_000).filter(|&number| survivors.has(number)).count();
        assert_eq!((count(Survivors::OnTop), count(Survivors::Every(100))), (0, 1_000));
        assert!((800..1_200).contains(&count(Survivors::Random(10))));
    }
}
