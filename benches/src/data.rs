//! Keys and values: of the sizes that real flow tables have, in an order that no prefetcher guesses.

use std::ops::Range;
use std::time::Duration;

/// 40 bytes: an IPv6 5-tuple.
pub type Key = [u64; 5];
/// 64 bytes: counters, or what a packet is rewritten to.
pub type Payload = [u64; 8];

/// How far one operation moves the clock: a million packets a second.
pub const TICK: Duration = Duration::from_micros(1);

/// The key number `index`; different numbers give different keys.
pub const fn key(index: u64) -> Key {
    [mix(index), mix(!index), mix(index ^ 1 << 40), mix(index ^ 1 << 41), index]
}

/// The finalizer of SplitMix64: a bijection that spreads over all bits.
const fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// Keys in a random but repeatable order, round after round. They lie in that order in memory, as packets do: what
/// is measured is the table's cache misses, not theirs.
#[derive(Debug)]
pub struct Rounds {
    keys: Vec<Key>,
    next: usize,
}

impl Rounds {
    /// The keys with these numbers, shuffled.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn shuffled(indices: Range<u64>) -> Self {
        assert!(!indices.is_empty(), "a round needs keys");
        let mut keys: Vec<Key> = indices.map(key).collect();
        for last in (1..keys.len()).rev() {
            let other = mix(last as u64) % (last as u64 + 1);
            keys.swap(last, other as usize);
        }
        Self { keys, next: 0 }
    }

    /// The next key.
    #[inline]
    pub fn next_key(&mut self) -> &Key {
        let key = &self.keys[self.next];
        self.next += 1;
        if self.next == self.keys.len() {
            self.next = 0;
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_round_has_each_key_once_and_the_next_is_the_same() {
        let mut rounds = Rounds::shuffled(5..15);
        let mut round = || -> Vec<Key> { (0..10).map(|_| *rounds.next_key()).collect() };
        let (first, second) = (round(), round());
        assert_eq!(first.iter().copied().collect::<HashSet<_>>(), (5..15).map(key).collect());
        assert_eq!(first, second);
        assert_ne!(first, (5..15).map(key).collect::<Vec<_>>());
    }
}
