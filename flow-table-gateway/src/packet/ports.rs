//! Ports, and what stands for them in protocols without ports.

use etherparse::TcpHeaderSlice;

use crate::packet::malformed::Malformed;
use crate::packet::protocol::{ICMP, ICMPV6, TCP, UDP};
use crate::packet::tcp::Segment;

/// What the beginning of a transport header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp(Option<Segment>),
    Udp,
    EchoRequest,
    EchoReply,
    /// An ICMP message that is about another packet.
    Error,
    /// Any other ICMP message.
    OtherIcmp,
    Other,
}

/// The transport and the two ports of this transport header and its data. The identifier of an echo is the port
/// of the host that asks, so that requests and replies of one session have reversed keys.
pub(crate) fn read(
    protocol: u8,
    bytes: &[u8],
    is_first_of_more: bool,
) -> Result<(Transport, u16, u16), Malformed> {
    let word = |at: usize| match bytes.get(at..at + 2) {
        Some(word) => Ok(u16::from_be_bytes([word[0], word[1]])),
        None => Err(Malformed::Transport),
    };
    match protocol {
        TCP => {
            let header = TcpHeaderSlice::from_slice(bytes).map_err(|_| Malformed::Transport)?;
            let segment = Segment::new(&header, bytes.len());
            Ok((Transport::Tcp(Some(segment)), header.source_port(), header.destination_port()))
        }
        UDP => {
            let length = usize::from(word(4)?);
            let fits = length >= 8 && (is_first_of_more || length <= bytes.len());
            word(6)?;
            if fits { Ok((Transport::Udp, word(0)?, word(2)?)) } else { Err(Malformed::Transport) }
        }
        ICMP | ICMPV6 => icmp(protocol, bytes, word(4)?, word(6).map(drop)),
        _ => Ok((Transport::Other, 0, 0)),
    }
}

/// As [`read`], for the first eight bytes or more of a transport header within an ICMP error.
pub(crate) fn read_quoted(protocol: u8, bytes: &[u8]) -> Result<(Transport, u16, u16), Malformed> {
    if bytes.len() < 8 {
        return Err(Malformed::Transport);
    }
    let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    match protocol {
        TCP => Ok((Transport::Tcp(None), word(0), word(2))),
        UDP => Ok((Transport::Udp, word(0), word(2))),
        ICMP | ICMPV6 => icmp(protocol, bytes, word(4), Ok(())),
        _ => Ok((Transport::Other, 0, 0)),
    }
}

fn icmp(
    protocol: u8,
    bytes: &[u8],
    identifier: u16,
    complete: Result<(), Malformed>,
) -> Result<(Transport, u16, u16), Malformed> {
    complete?;
    Ok(match (protocol, bytes[0]) {
        (ICMP, 8) | (ICMPV6, 128) => (Transport::EchoRequest, identifier, 0),
        (ICMP, 0) | (ICMPV6, 129) => (Transport::EchoReply, 0, identifier),
        // Unreachable, source quench, time exceeded, parameter problem. A redirect makes no sense beyond its link.
        (ICMP, 3 | 4 | 11 | 12) | (ICMPV6, 1..=4) => (Transport::Error, 0, 0),
        _ => (Transport::OtherIcmp, 0, 0),
    })
}
