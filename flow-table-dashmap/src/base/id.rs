//! Names of flows and slots. All removal is by name, never by key (contract R3).
//!
//! ```text
//!  63                           9 8             1      0
//! +------------------------------+---------------+-----------+
//! |          sequence            |     queue     | direction |
//! +------------------------------+---------------+-----------+
//! ```

use flow_table_api::Direction;

/// One stay of a flow in a table. Every insertion and reinsertion gets a new one, and none is used again. Each
/// queue issues its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FlowId(u64);

/// One of the slots of a [`FlowId`]: the flow and the key that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotId(u64);

const QUEUE_SHIFT: u32 = 1;
const QUEUE_BITS: u32 = 8;
const SEQUENCE_SHIFT: u32 = QUEUE_SHIFT + QUEUE_BITS;
const REPLY: u64 = 1;

impl FlowId {
    /// The number of queues that ids can tell apart.
    pub(crate) const QUEUES: usize = 1 << QUEUE_BITS;

    /// The `sequence`-th id of a queue. Sequence numbers start at one, and there are 2⁵⁵ of them.
    pub(crate) fn new(sequence: u64, queue: usize) -> Self {
        debug_assert!(sequence > 0 && sequence < 1 << (u64::BITS - SEQUENCE_SHIFT) && queue < Self::QUEUES);
        Self(sequence << SEQUENCE_SHIFT | (queue as u64) << QUEUE_SHIFT)
    }

    /// Never zero.
    pub(crate) const fn to_bits(self) -> u64 {
        self.0
    }

    /// The id that [`to_bits`](Self::to_bits) returned, or `None` for zero.
    pub(crate) const fn from_bits(bits: u64) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits)) }
    }

    /// The slot under the flow's key for `direction`.
    pub(crate) const fn slot(self, direction: Direction) -> SlotId {
        match direction {
            Direction::Forward => SlotId(self.0),
            Direction::Reply => SlotId(self.0 | REPLY),
        }
    }
}

impl SlotId {
    /// The flow that the slot leads to.
    pub(crate) const fn flow(self) -> FlowId {
        FlowId(self.0 & !REPLY)
    }

    /// Which of the flow's keys the slot stands for.
    pub(crate) const fn direction(self) -> Direction {
        if self.0 & REPLY == 0 { Direction::Forward } else { Direction::Reply }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_survive_packing() {
        for sequence in [1, 2, (1 << 55) - 1] {
            for queue in [0, 1, FlowId::QUEUES - 1] {
                let id = FlowId::new(sequence, queue);
                assert_eq!(FlowId::from_bits(id.to_bits()), Some(id));
                for direction in [Direction::Forward, Direction::Reply] {
                    let slot = id.slot(direction);
                    assert_eq!((slot.flow(), slot.direction()), (id, direction));
                }
            }
        }
        assert_eq!(FlowId::from_bits(0), None);
        assert_ne!(FlowId::new(1, 0), FlowId::new(2, 0));
        assert_ne!(FlowId::new(1, 0), FlowId::new(1, 1));
    }
}
