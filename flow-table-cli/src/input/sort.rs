//! A capture whose packets are nearly in the order of their times.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::owned::Owned;
use crate::read::{Packet, Packets, ReadError};

/// The memory of the packets that wait, at most, in bytes. Beyond it the earliest one comes out before its time.
const MEMORY: usize = 256 << 20;

/// Sorts packets by time, as far as none is later than the window after one that should have followed it. Packets
/// of the same time keep their order.
pub struct Sorted<P> {
    packets: P,
    window: i128,
    waiting: BinaryHeap<Waiting>,
    memory: usize,
    latest: i128,
    count: u64,
    ended: bool,
    current: Option<Owned>,
}

struct Waiting {
    packet: Owned,
    number: u64,
}

impl Waiting {
    const fn rank(&self) -> (i128, u64) {
        (self.packet.timestamp, self.number)
    }
}

// The earliest is the greatest, for the heap.
impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank().cmp(&self.rank())
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Waiting {}

impl<P: Packets> Sorted<P> {
    /// Sorts `packets` within `window`.
    pub fn new(packets: P, window: Duration) -> Self {
        let window = i128::try_from(window.as_nanos()).unwrap_or(i128::MAX);
        Self {
            packets,
            window,
            waiting: BinaryHeap::new(),
            memory: 0,
            latest: i128::MIN,
            count: 0,
            ended: false,
            current: None,
        }
    }

    /// Returns `true` if the earliest packet need not wait any longer.
    fn is_ready(&self) -> bool {
        self.waiting.peek().is_some_and(|earliest| {
            let span = self.latest.saturating_sub(earliest.packet.timestamp);
            self.ended || span >= self.window || self.memory > MEMORY
        })
    }
}

impl<P: Packets> Packets for Sorted<P> {
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, ReadError> {
        while !self.ended && !self.is_ready() {
            match self.packets.next_packet() {
                Ok(Some(packet)) => {
                    let packet = Owned::of(&packet);
                    self.latest = self.latest.max(packet.timestamp);
                    self.memory += packet.memory();
                    self.waiting.push(Waiting { packet, number: self.count });
                    self.count += 1;
                }
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = !error.is_idle() && !self.packets.goes_on();
                    return Err(error);
                }
            }
        }
        self.current = self.waiting.pop().map(|waiting| waiting.packet);
        self.memory -= self.current.as_ref().map_or(0, Owned::memory);
        Ok(self.current.as_ref().map(Owned::packet))
    }

    fn goes_on(&self) -> bool {
        !self.waiting.is_empty() || self.packets.goes_on()
    }

    fn describe(&self) -> String {
        format!("{}, sorted", self.packets.describe())
    }

    fn dropped(&self) -> u64 {
        self.packets.dropped()
    }
}
