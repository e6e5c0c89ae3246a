//! The ports of one outside address, for one protocol.
//!
//! A port is one bit. Whoever sets it has the port until the bit is cleared, which the
//! [`Lease`](super::pool::Lease) does when it is dropped. No lock is needed: one atomic operation takes a port,
//! and one frees it.

use std::ops::{BitOr, RangeInclusive};
use std::sync::atomic::{AtomicU64, Ordering};

const WORDS: usize = 65_536 / 64;
const EVEN: u64 = 0x5555_5555_5555_5555;

pub(super) struct Ports {
    used: Box<[AtomicU64]>,
    /// Ports that nobody gets. These bits change only when the configuration does.
    reserved: Box<[AtomicU64]>,
}

fn words() -> Box<[AtomicU64]> {
    (0..WORDS).map(|_| AtomicU64::new(0)).collect()
}

impl Ports {
    pub(super) fn new() -> Self {
        Self { used: words(), reserved: words() }
    }

    /// Keeps the ports free for which `reserved` returns `true`, from now on. Those in use stay in use.
    pub(super) fn reserve(&self, reserved: impl Fn(u16) -> bool) {
        for (index, word) in self.reserved.iter().enumerate() {
            let bit = |bit: usize| u64::from(reserved((index * 64 + bit) as u16)) << bit;
            // Relaxed: nothing else depends on it. A lease that reads an old word takes a port a moment too late.
            word.store((0..64).map(bit).fold(0, BitOr::bitor), Ordering::Relaxed);
        }
    }

    /// Takes a free port of `range` at a random place, of the same parity as `like` if there is one (RFC 4787,
    /// REQ-4). O(1) while most are free, at worst one walk over the range's bits for each parity.
    pub(super) fn take(&self, range: RangeInclusive<u16>, random: u64, like: u16) -> Option<u16> {
        let parity = if like.is_multiple_of(2) { EVEN } else { !EVEN };
        let (first, last) = range.into_inner();
        [parity, !parity].into_iter().find_map(|parity| self.take_of(parity, (first, last), random))
    }

    fn take_of(&self, parity: u64, (first, last): (u16, u16), random: u64) -> Option<u16> {
        let (low, high) = (usize::from(first) / 64, usize::from(last) / 64);
        let (start, turn) = (low + random as usize % (high - low + 1), (random >> 32) as u32 % 64);
        for index in (start..=high).chain(low..start) {
            let from = if index == low { u64::MAX << (first % 64) } else { u64::MAX };
            let to = if index == high { u64::MAX >> (63 - last % 64) } else { u64::MAX };
            let wanted = parity & from & to;
            let reserved = self.reserved[index].load(Ordering::Relaxed);
            loop {
                let free = !(self.used[index].load(Ordering::Relaxed) | reserved) & wanted;
                if free == 0 {
                    break;
                }
                let bit = (free.rotate_right(turn).trailing_zeros() + turn) % 64;
                if self.take_bit(index, bit) {
                    return Some((index * 64) as u16 + bit as u16);
                }
            }
        }
        None
    }

    /// Takes this port. Returns `false` if somebody has it.
    pub(super) fn take_bit(&self, word: usize, bit: u32) -> bool {
        // Acquire pairs with the Release in `free`: what the last owner did with the port happens before.
        self.used[word].fetch_or(1 << bit, Ordering::Acquire) & 1 << bit == 0
    }

    pub(super) fn free(&self, port: u16) {
        // Release pairs with the Acquire in `take_bit`.
        let before = self.used[usize::from(port) / 64].fetch_and(!(1 << (port % 64)), Ordering::Release);
        debug_assert!(before & 1 << (port % 64) != 0, "port {port} is freed twice");
    }

    /// Whether the configuration allows leases of this port.
    pub(super) fn is_open(&self, port: u16) -> bool {
        self.reserved[usize::from(port) / 64].load(Ordering::Relaxed) & 1 << (port % 64) == 0
    }

    pub(super) fn used(&self) -> usize {
        self.used.iter().map(|word| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ALL: RangeInclusive<u16> = 0..=u16::MAX;

    #[test]
    fn a_range_is_taken_whole_and_nothing_beside_it() {
        for range in [1_276..=1_527, 0..=0, 63..=64, 65_535..=65_535, 1_280..=1_407] {
            let ports = Ports::new();
            let taken = (0..).map_while(|random: u64| ports.take(range.clone(), random << 30 | random, 5));
            let taken: BTreeSet<_> = taken.collect();
            assert_eq!(taken, range.collect());
        }
    }

    #[test]
    fn each_port_is_taken_once_and_reserved_ones_never() {
        let ports = Ports::new();
        ports.reserve(|port| !(1_000..1_100).contains(&port) || port == 1_007);
        let taken: BTreeSet<_> =
            (0..).map_while(|random: u64| ports.take(ALL, random << 30 | random, 0)).collect();
        assert_eq!(taken, (1_000..1_100).filter(|port| *port != 1_007).collect());
        assert_eq!(ports.used(), 99);
        ports.free(1_042);
        assert_eq!(ports.take(ALL, 7, 1), Some(1_042), "the other parity if there is no choice");
    }

    #[test]
    fn parity_is_kept_while_it_can_be() {
        let ports = Ports::new();
        assert!(
            (0..200)
                .all(|random| ports.take(ALL, random * 0x1_2345_6789, 5_001).is_some_and(|port| port % 2 == 1))
        );
    }

    #[test]
    fn threads_never_share_a_port() {
        let ports = Ports::new();
        ports.reserve(|port| port >= 4_096);
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let ports = &ports;
                scope.spawn(move || {
                    for round in 0..200u64 {
                        let mine: Vec<_> =
                            (0..100).filter_map(|i| ports.take(ALL, round ^ i << 33, thread)).collect();
                        mine.into_iter().for_each(|port| ports.free(port));
                    }
                });
            }
        });
        assert_eq!(ports.used(), 0);
    }
}
