use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce, ReceiveTimeout, ReceiveTimestampns, RxqOvfl};
use nix::sys::socket::{AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, bind, setsockopt, socket};
use nix::sys::time::TimeVal;

use crate::packet::LinkType;

/// Why an interface cannot be watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// There is no interface with this name.
    #[error("{interface}: no such interface; there are {others}")]
    NoInterface {
        /// The name.
        interface: String,
        /// The names of all interfaces.
        others: String,
    },
    /// The frames of the interface begin with an unknown header.
    #[error("{interface}: unknown kind of interface ({kind})")]
    Kind {
        /// The name.
        interface: String,
        /// The kernel's number of the kind.
        kind: u16,
    },
    /// The system refuses.
    #[error("{interface}: {what}: {error}")]
    System {
        /// The name of the interface.
        interface: String,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        error: Errno,
    },
}

/// What the kernel keeps for a program that is busy, in bytes.
const BUFFER: usize = 32 << 20;
/// How long to wait for a frame, in microseconds.
const PATIENCE: i64 = 100_000;

/// A packet socket, bound to an interface.
pub(super) struct Socket {
    socket: OwnedFd,
    link: LinkType,
    is_loopback: bool,
}

impl Socket {
    pub(super) fn open(interface: &str) -> Result<Self, LiveError> {
        let failed = |what| move |error| LiveError::System { interface: interface.to_owned(), what, error };
        let address = address(interface)?;
        let (link, is_loopback) = link(interface, address.hatype())?;
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)
            .map_err(failed("cannot receive frames; it needs CAP_NET_RAW"))?;
        setsockopt(&socket, ReceiveTimestampns, &true).map_err(failed("no times"))?;
        setsockopt(&socket, RxqOvfl, &1).map_err(failed("no count of drops"))?;
        let patience = TimeVal::new(0, PATIENCE);
        setsockopt(&socket, ReceiveTimeout, &patience).map_err(failed("no limit of waiting"))?;
        // The forced size needs a capability more. Without it the system's limit holds.
        if setsockopt(&socket, RcvBufForce, &BUFFER).is_err() {
            setsockopt(&socket, RcvBuf, &BUFFER).map_err(failed("no buffer"))?;
        }
        bind(socket.as_raw_fd(), &address).map_err(failed("cannot bind"))?;
        Ok(Self { socket, link, is_loopback })
    }

    pub(super) const fn link(&self) -> LinkType {
        self.link
    }

    /// The loopback interface shows each frame as it leaves and as it arrives.
    pub(super) const fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    pub(super) fn raw(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// The link-layer address of an interface. Its protocol is zero, so binding keeps that of the socket.
fn address(interface: &str) -> Result<LinkAddr, LiveError> {
    let system =
        |error| LiveError::System { interface: interface.to_owned(), what: "cannot list interfaces", error };
    let mut others = Vec::new();
    for each in getifaddrs().map_err(system)? {
        let link = each.address.and_then(|address| address.as_link_addr().copied());
        match link {
            Some(address) if each.interface_name == interface => return Ok(address),
            Some(_) => others.push(each.interface_name),
            None => {}
        }
    }
    Err(LiveError::NoInterface { interface: interface.to_owned(), others: others.join(", ") })
}

/// The kind of header by the kernel's number (`ARPHRD_…`), and whether the interface is the loopback.
fn link(interface: &str, kind: u16) -> Result<(LinkType, bool), LiveError> {
    const ETHERNET: u16 = 1;
    const PPP: u16 = 512;
    const TUNNELS: [u16; 4] = [768, 769, 776, 778];
    const LOOPBACK: u16 = 772;
    const NONE: u16 = 65_534;
    match kind {
        ETHERNET => Ok((LinkType::ETHERNET, false)),
        LOOPBACK => Ok((LinkType::ETHERNET, true)),
        PPP | NONE => Ok((LinkType::RAW, false)),
        kind if TUNNELS.contains(&kind) => Ok((LinkType::RAW, false)),
        kind => Err(LiveError::Kind { interface: interface.to_owned(), kind }),
    }
}
