use std::net::{IpAddr, SocketAddr};

use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6ExtensionSlice, Ipv6ExtensionsSlice, Ipv6HeaderSlice};
use flow_table::FlowKey;

use crate::packet::malformed::Malformed;
use crate::packet::ports::{self, Transport};
use crate::packet::protocol::{ICMP, ICMPV6};
use crate::packet::tcp::Segment;
use crate::side::Side;

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Tcp(Segment),
    Udp,
    EchoRequest,
    EchoReply,
    /// An ICMP error about a packet of a flow.
    Error(Inner),
    /// An ICMP message that belongs to no flow.
    OtherIcmp,
    Other,
    /// A fragment other than the first one, which has no transport header.
    LaterFragment,
}

/// The packet that an ICMP error is about, as far as the error quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inner {
    /// Where its IP header is.
    pub(crate) start: usize,
    /// Where its transport header is.
    pub(crate) transport: usize,
    pub(crate) protocol: u8,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
}

/// A packet's place in a fragmented packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) identification: u32,
    pub(crate) is_first: bool,
}

/// What the gateway reads from a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The length that the packet says it has, at most that of its bytes.
    pub(crate) len: usize,
    /// Where the transport header is.
    pub(crate) transport: usize,
    pub(crate) protocol: u8,
    /// The ports are zero where the protocol has none.
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) fragment: Option<Fragment>,
    pub(crate) body: Body,
}

/// The IP header, and its extensions.
struct Ip {
    len: usize,
    transport: usize,
    protocol: u8,
    source: IpAddr,
    destination: IpAddr,
    /// Its place, and whether more fragments follow.
    fragment: Option<(Fragment, bool)>,
}

/// The place of a fragment at `offset`, in units of eight bytes. The first one must have the whole transport
/// header, so one that begins right behind its first eight bytes is an attack (RFC 3128).
fn place(identification: u32, offset: u16) -> Result<Fragment, Malformed> {
    if offset == 1 { Err(Malformed::Ip) } else { Ok(Fragment { identification, is_first: offset == 0 }) }
}

impl Layout {
    /// Reads a packet.
    pub(crate) fn of(data: &[u8]) -> Result<Self, Malformed> {
        let ip = Ip::read(data)?;
        if ip.len > data.len() {
            return Err(Malformed::Ip);
        }
        let fragment = ip.fragment.map(|(fragment, _)| fragment);
        let layout = |body, source, destination| Self {
            len: ip.len,
            transport: ip.transport,
            protocol: ip.protocol,
            source: SocketAddr::new(ip.source, source),
            destination: SocketAddr::new(ip.destination, destination),
            fragment,
            body,
        };
        if fragment.is_some_and(|fragment| !fragment.is_first) {
            return Ok(layout(Body::LaterFragment, 0, 0));
        }
        let bytes = data.get(ip.transport..ip.len).ok_or(Malformed::Ip)?;
        let is_icmp_of_other_family = ip.protocol == if ip.source.is_ipv4() { ICMPV6 } else { ICMP };
        if is_icmp_of_other_family {
            return Err(Malformed::Transport);
        }
        let more = ip.fragment.is_some_and(|(_, more)| more);
        let (transport, source, destination) = ports::read(ip.protocol, bytes, more)?;
        let body = match transport {
            Transport::Tcp(Some(segment)) => Body::Tcp(segment),
            Transport::Udp => Body::Udp,
            Transport::EchoRequest => Body::EchoRequest,
            Transport::EchoReply => Body::EchoReply,
            // The checksum of a fragment cannot be verified.
            Transport::Error if fragment.is_none() => Body::Error(Inner::read(data, ip.transport + 8, ip.len)?),
            Transport::Error | Transport::OtherIcmp => Body::OtherIcmp,
            Transport::Tcp(None) | Transport::Other => Body::Other,
        };
        Ok(layout(body, source, destination))
    }

    /// The key of the flow to which the packet belongs, if it arrived on `side`. The key of an ICMP error is that
    /// of the packets that go the same way as the error.
    pub(crate) fn key(&self, side: Side) -> Option<FlowKey> {
        let (source, destination, protocol) = match &self.body {
            Body::Error(inner) => (inner.destination, inner.source, inner.protocol),
            Body::OtherIcmp | Body::LaterFragment => return None,
            _ => (self.source, self.destination, self.protocol),
        };
        Some(side.key(FlowKey::new(source, destination, protocol).ok()?))
    }
}

impl Inner {
    fn read(data: &[u8], start: usize, end: usize) -> Result<Self, Malformed> {
        let quoted = data.get(start..end).ok_or(Malformed::Transport)?;
        let ip = Ip::read(quoted)?;
        // Only the first fragment has ports.
        if ip.fragment.is_some_and(|(fragment, _)| !fragment.is_first) {
            return Err(Malformed::Transport);
        }
        let bytes = quoted.get(ip.transport..).ok_or(Malformed::Transport)?;
        let (transport, source, destination) = ports::read_quoted(ip.protocol, bytes)?;
        if matches!(transport, Transport::Error | Transport::OtherIcmp) {
            return Err(Malformed::Transport);
        }
        Ok(Self {
            start,
            transport: start + ip.transport,
            protocol: ip.protocol,
            source: SocketAddr::new(ip.source, source),
            destination: SocketAddr::new(ip.destination, destination),
        })
    }
}

impl Ip {
    fn read(data: &[u8]) -> Result<Self, Malformed> {
        match data.first().map(|byte| byte >> 4) {
            Some(4) => Self::v4(data),
            Some(6) => Self::v6(data),
            _ => Err(Malformed::Ip),
        }
    }

    fn v4(data: &[u8]) -> Result<Self, Malformed> {
        let header = Ipv4HeaderSlice::from_slice(data).map_err(|_| Malformed::Ip)?;
        let (len, transport) = (usize::from(header.total_len()), header.slice().len());
        if len < transport {
            return Err(Malformed::Ip);
        }
        let fragment = if header.is_fragmenting_payload() {
            let fragment = place(header.identification().into(), header.fragments_offset().value())?;
            Some((fragment, header.more_fragments()))
        } else {
            None
        };
        Ok(Self {
            len,
            transport,
            protocol: header.protocol().0,
            source: header.source_addr().into(),
            destination: header.destination_addr().into(),
            fragment,
        })
    }

    fn v6(data: &[u8]) -> Result<Self, Malformed> {
        let header = Ipv6HeaderSlice::from_slice(data).map_err(|_| Malformed::Ip)?;
        let fixed = header.slice().len();
        let len = fixed + usize::from(header.payload_length());
        let payload = &data[fixed..data.len().min(len)];
        let (extensions, protocol, rest) =
            Ipv6ExtensionsSlice::from_slice(header.next_header(), payload).map_err(|_| Malformed::Ip)?;
        let fragment = extensions.clone().into_iter().find_map(|extension| match extension {
            Ipv6ExtensionSlice::Fragment(fragment) if fragment.is_fragmenting_payload() => {
                let place = place(fragment.identification(), fragment.fragment_offset().value());
                Some(place.map(|place| (place, fragment.more_fragments())))
            }
            _ => None,
        });
        let fragment = fragment.transpose()?;
        let IpNumber(protocol) = protocol;
        Ok(Self {
            len,
            transport: fixed + payload.len() - rest.len(),
            protocol,
            source: header.source_addr().into(),
            destination: header.destination_addr().into(),
            fragment,
        })
    }
}
