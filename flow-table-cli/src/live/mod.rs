//! Packets as they arrive at an interface (Linux).
//!
//! A packet socket (`packet(7)`) delivers every frame with the kernel's time and with the number of frames that
//! the kernel dropped because the program was too slow. This needs the capability `CAP_NET_RAW`. VLAN tags that
//! the network card removes are not seen; `ethtool -K IFACE rxvlan off` keeps them.

mod batch;
mod socket;

use std::io::ErrorKind;
use std::time::Instant;

use nix::errno::Errno;

use crate::control::Control;
use crate::packet::LinkType;
use crate::read::{Packet, Packets, Problem, ReadError};

use batch::{Batch, now};
pub use socket::LiveError;
use socket::Socket;

/// An interface being watched.
pub struct Live {
    interface: String,
    socket: Socket,
    batch: Batch,
    dropped: u64,
    control: Control,
    deadline: Option<Instant>,
    /// Since when the program is to end. Frames that had arrived before still wait to be received.
    ending: Option<i128>,
}

impl Live {
    /// Starts to receive the frames of an interface, until `control` says so or `deadline` has come. Then come
    /// those that had arrived before.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such interface, its frames are of an unknown kind, or the system does not
    /// allow it.
    pub fn open(interface: &str, control: &Control, deadline: Option<Instant>) -> Result<Self, LiveError> {
        let socket = Socket::open(interface)?;
        let batch = Batch::new();
        Ok(Self {
            interface: interface.to_owned(),
            socket,
            batch,
            dropped: 0,
            control: control.clone(),
            deadline,
            ending: None,
        })
    }

    /// Receives more frames. Returns `false` if it is over.
    fn receive(&mut self) -> Result<bool, Errno> {
        let is_over =
            self.control.is_stopped() || self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if is_over && self.ending.is_none() {
            self.ending = Some(now());
        }
        match self.batch.receive(&self.socket) {
            Err(Errno::EAGAIN) if self.ending.is_some() => Ok(false),
            result => result.map(|()| true),
        }
    }
}

impl Packets for Live {
    /// # Blocking
    ///
    /// Waits for at most a tenth of a second.
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, ReadError> {
        if self.batch.is_used() {
            let received = self.receive().map_err(|error| {
                let error = match error {
                    Errno::EAGAIN | Errno::EINTR => ErrorKind::WouldBlock.into(),
                    other => other.into(),
                };
                Problem::Io(error).at(0)
            })?;
            if !received {
                return Ok(None);
            }
        }
        let Some(frame) = self.batch.next() else {
            return Err(Problem::Io(ErrorKind::WouldBlock.into()).at(0));
        };
        self.dropped = self.dropped.max(frame.dropped);
        if self.ending.is_some_and(|ending| frame.timestamp > ending) {
            return Ok(None);
        }
        let link = self.socket.link();
        Ok(Some(Packet { link, timestamp: frame.timestamp, data: frame.data, wire_len: frame.wire_len }))
    }

    fn goes_on(&self) -> bool {
        false
    }

    fn describe(&self) -> String {
        let link: LinkType = self.socket.link();
        format!("live on {}, {link}", self.interface)
    }

    fn now(&self) -> Option<i128> {
        Some(now())
    }

    fn dropped(&self) -> u64 {
        self.dropped
    }
}
