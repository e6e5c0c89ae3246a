//! The state of a flow that its packets change.
//!
//! All fields are atomics, and all accesses are Relaxed: workers may see packets of one flow at the same time, and
//! then either order of the two is right. Bits are only ever set, except when a new connection reuses the keys.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use flow_table::Direction;

use crate::conn::phase::Phase;
use crate::packet::Segment;

/// Bits for the forward direction. Those of the reply direction follow.
const HEARD: u32 = 1;
const SYN: u32 = 2;
const ACK: u32 = 4;
const FIN: u32 = 8;
/// The numbers of this direction are known.
const KNOWN: u32 = 16;
const SHIFT: u32 = 5;
/// One end has reset the connection.
const RESET: u32 = 1 << (2 * SHIFT);

const fn bit(bit: u32, direction: usize) -> u32 {
    bit << (SHIFT * direction as u32)
}

/// The state of a flow.
#[derive(Debug, Default)]
pub(crate) struct Track {
    bits: AtomicU32,
    /// For each direction, the number after the last one sent.
    ends: [AtomicU32; 2],
    /// For each direction, what it has received (high half), and how much more it can receive.
    windows: [AtomicU64; 2],
    /// For each direction, the scale of its window.
    scales: [AtomicU32; 2],
}

/// What a packet means for its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It goes on.
    Same,
    /// It goes on, in another phase.
    Changed(Phase),
    /// The packet would end the connection, but its number shows that it is forged or late. It is dropped.
    Invalid,
}

impl Track {
    /// The state of a flow whose bits another gateway has told. Sequence numbers are not known, so none is checked
    /// until both ends have sent a packet.
    pub(crate) fn from_bits(bits: u32) -> Self {
        let bits = bits & !(bit(KNOWN, 0) | bit(KNOWN, 1));
        // The scale is not known either. The largest one makes windows that are too large, never too small.
        Self { bits: bits.into(), scales: [14.into(), 14.into()], ..Self::default() }
    }

    /// What another gateway needs to know.
    pub(crate) fn to_bits(&self) -> u32 {
        self.bits() & !(bit(KNOWN, 0) | bit(KNOWN, 1))
    }

    fn bits(&self) -> u32 {
        self.bits.load(Relaxed)
    }

    /// The phase of a flow of any protocol.
    pub(crate) fn phase(&self, is_tcp: bool) -> Phase {
        phase(self.bits(), is_tcp)
    }

    /// Takes note of a packet that is no TCP segment.
    #[inline]
    pub(crate) fn packet(&self, direction: Direction) -> Seen {
        self.set(bit(HEARD, direction as usize), false)
    }

    /// Takes note of a TCP segment.
    #[inline]
    pub(crate) fn segment(&self, direction: Direction, segment: &Segment) -> Seen {
        let own = direction as usize;
        let before = self.bits();
        if segment.opens() && direction == Direction::Forward && phase(before, true) == Phase::Closed {
            self.reopen();
        }
        let fits = self.fits(own, segment);
        if segment.rst {
            return if fits { self.set(RESET, true) } else { Seen::Invalid };
        }
        if segment.fin && !fits {
            // One that is sent again, because its acknowledgement was lost, ends nothing more.
            return if before & bit(FIN, own) != 0 { Seen::Same } else { Seen::Invalid };
        }
        if fits {
            self.learn(own, segment);
        }
        let mut new = bit(HEARD, own);
        for (flag, is_set) in [(SYN, segment.syn), (ACK, segment.ack), (FIN, segment.fin)] {
            new |= if is_set { bit(flag, own) } else { 0 };
        }
        self.set(new, true)
    }

    #[inline]
    fn set(&self, new: u32, is_tcp: bool) -> Seen {
        let before = self.bits();
        if before & new == new {
            return Seen::Same;
        }
        let before = self.bits.fetch_or(new, Relaxed);
        let (old, new) = (phase(before, is_tcp), phase(before | new, is_tcp));
        if old == new { Seen::Same } else { Seen::Changed(new) }
    }

    /// A new connection with the keys of a closed one.
    #[cold]
    fn reopen(&self) {
        self.bits.store(0, Relaxed);
    }

    /// Whether the segment's number is one that the other end would accept. Without knowledge every one is.
    fn fits(&self, own: usize, segment: &Segment) -> bool {
        let peer = 1 - own;
        let bits = self.bits();
        if bits & bit(KNOWN, peer) == 0 {
            // A reset that answers a SYN says what it answers (RFC 9293, section 3.5.2).
            let answers = segment.rst && bits & bit(SYN, own) == 0 && bits & bit(SYN, peer) != 0;
            return !answers || segment.ack && segment.acknowledged == self.ends[peer].load(Relaxed);
        }
        let window = self.windows[peer].load(Relaxed);
        let (received, room) = ((window >> 32) as u32, window as u32);
        // A FIN comes after the data of its segment, of which some may have been received already.
        let number =
            if segment.fin { segment.sequence.wrapping_add(segment.length - 1) } else { segment.sequence };
        let offset = number.wrapping_sub(received);
        // Data that was sent again is older. A reset or FIN must be in the window.
        offset <= room.max(1) || !(segment.rst || segment.fin) && (offset as i32) < 0
    }

    /// Remembers the numbers of a segment.
    fn learn(&self, own: usize, segment: &Segment) {
        let bits = self.bits();
        let end = segment.sequence.wrapping_add(segment.length);
        let is_new = bits & bit(HEARD, own) == 0 || segment.syn;
        if is_new || (end.wrapping_sub(self.ends[own].load(Relaxed)) as i32) > 0 {
            self.ends[own].store(end, Relaxed);
        }
        if segment.syn {
            self.scales[own].store(segment.scale.map_or(0, u32::from), Relaxed);
        }
        if !segment.ack {
            return;
        }
        // The window of a SYN is not scaled (RFC 7323, section 2.2).
        let scale = if segment.syn { 0 } else { self.scales[own].load(Relaxed) };
        let old = self.windows[own].load(Relaxed);
        let is_newer = (segment.acknowledged.wrapping_sub((old >> 32) as u32) as i32) >= 0;
        if bits & bit(KNOWN, own) == 0 || is_newer {
            let room = u64::from(segment.window) << scale;
            self.windows[own].store(u64::from(segment.acknowledged) << 32 | room, Relaxed);
            if bits & bit(KNOWN, own) == 0 {
                self.bits.fetch_or(bit(KNOWN, own), Relaxed);
            }
        }
    }
}

fn phase(bits: u32, is_tcp: bool) -> Phase {
    let both = |flags: u32| {
        let both = bit(flags, 0) | bit(flags, 1);
        bits & both == both
    };
    let either = |flag: u32| bits & (bit(flag, 0) | bit(flag, 1)) != 0;
    if !is_tcp {
        return if both(HEARD) { Phase::Established } else { Phase::Opening };
    }
    if bits & RESET != 0 || both(FIN) {
        Phase::Closed
    } else if either(FIN) {
        Phase::Closing
    } else if both(SYN | ACK) {
        // Also if both ends began at the same time (RFC 5382, REQ-2).
        Phase::Established
    } else {
        Phase::Opening
    }
}
