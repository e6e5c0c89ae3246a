//! Keys and values of the sizes that real flow tables have, and the random numbers that choose among them.

/// 40 bytes: an IPv6 5-tuple with a tenant. Four words are random; the last is the flow's number, by which the
/// hardware floor finds its lines. It is a struct, so that it is hashed and compared word by word: an array would
/// also hash its length, and be compared by a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Key {
    source_high: u64,
    source_low: u64,
    destination_high: u64,
    destination_low: u64,
    number: u64,
}

impl Key {
    /// Its words.
    pub const fn words(&self) -> [u64; 5] {
        [self.source_high, self.source_low, self.destination_high, self.destination_low, self.number]
    }
}

/// 64 bytes: counters, or what a packet is rewritten to.
pub type Payload = [u64; 8];

/// Packets in a burst.
pub const BURST: usize = 32;

/// The key of flow number `index`. Different numbers have different keys.
#[inline]
pub const fn key(index: u64) -> Key {
    Key {
        source_high: mix(index),
        source_low: mix(!index),
        destination_high: mix(index ^ 1 << 40),
        destination_low: mix(index ^ 1 << 41),
        number: index,
    }
}

/// The number of the flow with this key.
#[inline]
pub const fn index(key: &Key) -> u64 {
    key.number
}

/// The value of flow number `index`.
#[inline]
pub const fn payload(index: u64) -> Payload {
    [index; 8]
}

/// The finalizer of SplitMix64: a bijection that spreads over all bits.
pub const fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// Permutes `0..count` so that neighbours are far apart. `count` must be below 2³².
#[inline]
pub const fn scatter(index: u64, count: u64) -> u64 {
    const PRIME: u64 = 2_654_435_761;
    index * PRIME % count
}

/// SplitMix64: repeatable random numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence that belongs to `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// The next number.
    #[inline]
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// The next number, brought into `0..count` evenly. `count` must be below 2³².
    #[inline]
    pub const fn below(&mut self, count: u64) -> u64 {
        ((self.next() >> 32) * count) >> 32
    }

    /// The next number, brought into `0.0..1.0` evenly.
    #[inline]
    pub const fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_and_places_are_distinct() {
        let count = 1_000;
        assert_eq!((0..count).map(key).collect::<HashSet<_>>().len(), count as usize);
        assert_eq!((0..count).map(|index| scatter(index, count)).collect::<HashSet<_>>().len(), count as usize);
        assert!((0..count).all(|flow| index(&key(flow)) == flow));
    }

    #[test]
    fn random_numbers_stay_in_range_and_repeat() {
        let numbers = |mut random: Random| (0..1_000).map(|_| random.below(10)).collect::<Vec<_>>();
        let first = numbers(Random::new(1));
        assert_eq!(first, numbers(Random::new(1)));
        assert_ne!(first, numbers(Random::new(2)));
        assert_eq!(first.iter().copied().collect::<HashSet<_>>(), (0..10).collect());
        let mut random = Random::new(3);
        assert!((0..1_000).map(|_| random.unit()).all(|number| (0.0..1.0).contains(&number)));
    }
}
