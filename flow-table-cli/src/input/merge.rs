//! Several captures as one, in the order of their packets' times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::owned::Owned;
use crate::read::{Packet, Packets, ReadError};

/// Several captures as one. Each of them is read in its own order, and of their next packets the one with the
/// smallest time comes first. Packets of the same time come in the order of the captures.
pub struct Merged<P> {
    inputs: Vec<Member<P>>,
    /// The next packet of each input that has one, by time.
    next: BinaryHeap<Reverse<(i128, usize)>>,
    /// Inputs whose next packet has not been read yet.
    unread: Vec<usize>,
}

struct Member<P> {
    name: String,
    packets: P,
    head: Option<Owned>,
}

impl<P: Packets> Merged<P> {
    /// Merges captures, given with their names.
    pub fn new(inputs: impl IntoIterator<Item = (String, P)>) -> Self {
        let inputs: Vec<_> =
            inputs.into_iter().map(|(name, packets)| Member { name, packets, head: None }).collect();
        Self { next: BinaryHeap::with_capacity(inputs.len()), unread: (0..inputs.len()).rev().collect(), inputs }
    }
}

impl<P: Packets> Packets for Merged<P> {
    /// If one of the captures cannot be read any further, the error is returned once, and the others go on.
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, ReadError> {
        while let Some(&index) = self.unread.last() {
            let input = &mut self.inputs[index];
            let packet = match input.packets.next_packet() {
                Err(error) if error.is_idle() => return Err(error),
                Err(error) => {
                    self.unread.pop();
                    return Err(error.of(&input.name));
                }
                Ok(packet) => packet,
            };
            self.unread.pop();
            if let Some(packet) = packet {
                self.next.push(Reverse((packet.timestamp, index)));
                input.head = Some(Owned::of(&packet));
            }
        }
        let Some(Reverse((_, index))) = self.next.pop() else { return Ok(None) };
        self.unread.push(index);
        Ok(self.inputs[index].head.as_ref().map(Owned::packet))
    }

    fn goes_on(&self) -> bool {
        !self.unread.is_empty() || !self.next.is_empty()
    }

    fn describe(&self) -> String {
        let formats: Vec<_> = self.inputs.iter().map(|input| input.packets.describe()).collect();
        match formats.as_slice() {
            [first, others @ ..] if others.iter().all(|other| other == first) => {
                format!("{} merged captures: {first}", formats.len())
            }
            _ => format!("{} merged captures", formats.len()),
        }
    }
}
