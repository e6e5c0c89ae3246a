use std::io::IoSliceMut;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, MultiHeaders, RecvMsg, recvmmsg};
use nix::sys::time::TimeSpec;

use super::socket::Socket;

/// Frames that one system call receives at most.
const FRAMES: usize = 64;
/// The longest frame, also one that the network card puts together.
const FRAME: usize = 65_536 + 64;
/// `PACKET_OUTGOING` of `packet(7)`.
const OUTGOING: u8 = 4;

/// Frames that were received together.
pub(super) struct Batch {
    space: Vec<u8>,
    received: Vec<Meta>,
    next: usize,
}

/// What is known about a frame.
struct Meta {
    place: usize,
    len: usize,
    wire_len: u32,
    timestamp: i128,
    dropped: u64,
}

/// A frame.
pub(super) struct Frame<'b> {
    pub(super) data: &'b [u8],
    pub(super) wire_len: u32,
    /// Nanoseconds since 1970.
    pub(super) timestamp: i128,
    /// The frames that the kernel has dropped so far.
    pub(super) dropped: u64,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self { space: vec![0; FRAMES * FRAME], received: Vec::with_capacity(FRAMES), next: 0 }
    }

    pub(super) const fn is_used(&self) -> bool {
        self.next == self.received.len()
    }

    pub(super) fn next(&mut self) -> Option<Frame<'_>> {
        let meta = self.received.get(self.next)?;
        self.next += 1;
        let start = meta.place * FRAME;
        Some(Frame {
            data: &self.space[start..start + meta.len],
            wire_len: meta.wire_len,
            timestamp: meta.timestamp,
            dropped: meta.dropped,
        })
    }

    /// Receives what has arrived, and waits if there is nothing.
    pub(super) fn receive(&mut self, socket: &Socket) -> Result<(), Errno> {
        self.received.clear();
        self.next = 0;
        let mut slices: Vec<_> = self.space.chunks_mut(FRAME).map(|frame| [IoSliceMut::new(frame)]).collect();
        let mut headers = MultiHeaders::<LinkAddr>::preallocate(FRAMES, Some(cmsg_space!(TimeSpec, u32)));
        let flags = MsgFlags::MSG_WAITFORONE | MsgFlags::MSG_TRUNC;
        let messages = recvmmsg(socket.raw(), &mut headers, slices.iter_mut(), flags, None)?;
        for (place, message) in messages.enumerate() {
            let outgoing = message.address.is_some_and(|address| address.pkttype() == OUTGOING);
            if !(outgoing && socket.is_loopback()) {
                self.received.push(meta(place, &message));
            }
        }
        Ok(())
    }
}

/// The time of the system, which is also that of the frames.
pub(super) fn now() -> i128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as i128)
}

fn meta(place: usize, message: &RecvMsg<'_, '_, LinkAddr>) -> Meta {
    let (mut timestamp, mut dropped) = (None, 0);
    for control in message.cmsgs().into_iter().flatten() {
        match control {
            ControlMessageOwned::ScmTimestampns(time) => {
                timestamp = Some(i128::from(time.tv_sec()) * 1_000_000_000 + i128::from(time.tv_nsec()));
            }
            ControlMessageOwned::RxqOvfl(count) => dropped = u64::from(count),
            _ => {}
        }
    }
    Meta {
        place,
        len: message.bytes.min(FRAME),
        wire_len: u32::try_from(message.bytes).unwrap_or(u32::MAX),
        timestamp: timestamp.unwrap_or_else(now),
        dropped,
    }
}
