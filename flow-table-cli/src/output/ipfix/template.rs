use std::net::IpAddr;

use crate::record::{End, FlowRecord, Orientation};

/// The enterprise number that marks the elements of the reverse direction (RFC 5103).
const REVERSE: u32 = 29305;

/// An information element: its number in the registry, its length in bytes, and whether it is of the reverse
/// direction.
type Element = (u16, u16, bool);

const SOURCE_V4: Element = (8, 4, false);
const DESTINATION_V4: Element = (12, 4, false);
const SOURCE_V6: Element = (27, 16, false);
const DESTINATION_V6: Element = (28, 16, false);

/// What both templates have in common, in the order of [`encode`].
const COMMON: [Element; 19] = [
    (7, 2, false),   // sourceTransportPort
    (11, 2, false),  // destinationTransportPort
    (4, 1, false),   // protocolIdentifier
    (136, 1, false), // flowEndReason
    (234, 4, false), // ingressVRFID: the tenant
    (152, 8, false), // flowStartMilliseconds
    (153, 8, false), // flowEndMilliseconds
    (2, 8, false),   // packetDeltaCount
    (1, 8, false),   // octetDeltaCount
    (6, 1, false),   // tcpControlBits
    (52, 1, false),  // minimumTTL
    (53, 1, false),  // maximumTTL
    (152, 8, true),
    (153, 8, true),
    (2, 8, true),
    (1, 8, true),
    (6, 1, true),
    (52, 1, true),
    (53, 1, true),
];

/// The numbers of the templates, which are those of the data sets.
pub(super) const V4: u16 = 256;
pub(super) const V6: u16 = 257;

/// The templates' set.
pub(super) fn set() -> Vec<u8> {
    const TEMPLATE_SET: u16 = 2;
    let mut records = Vec::new();
    for (id, ends) in [(V4, [SOURCE_V4, DESTINATION_V4]), (V6, [SOURCE_V6, DESTINATION_V6])] {
        let elements = ends.iter().chain(&COMMON);
        records.extend(id.to_be_bytes());
        records.extend((elements.clone().count() as u16).to_be_bytes());
        for (number, length, reverse) in elements {
            let enterprise = if *reverse { 0x8000 } else { 0 };
            records.extend((number | enterprise).to_be_bytes());
            records.extend(length.to_be_bytes());
            if *reverse {
                records.extend(REVERSE.to_be_bytes());
            }
        }
    }
    let length = 4 + records.len() as u16;
    [&TEMPLATE_SET.to_be_bytes()[..], &length.to_be_bytes(), &records].concat()
}

/// Appends a record, and returns the number of its template.
pub(super) fn encode(flow: &FlowRecord, orientation: Orientation, out: &mut Vec<u8>) -> u16 {
    let oriented = flow.oriented(orientation);
    let key = &oriented.key;
    let mut id = V4;
    for end in [key.source().ip(), key.destination().ip()] {
        match end {
            IpAddr::V4(address) => out.extend(address.octets()),
            IpAddr::V6(address) => {
                id = V6;
                out.extend(address.octets());
            }
        }
    }
    out.extend(key.source().port().to_be_bytes());
    out.extend(key.destination().port().to_be_bytes());
    out.push(key.protocol());
    out.push(end_reason(flow.end));
    out.extend(key.tenant().get().to_be_bytes());
    for (tally, other) in [(oriented.forward, oriented.reverse), (oriented.reverse, oriented.forward)] {
        // A direction without packets has the times of the other one.
        let times = if tally.packets == 0 { other } else { tally };
        out.extend(milliseconds(times.first_ns).to_be_bytes());
        out.extend(milliseconds(times.last_ns).to_be_bytes());
        out.extend(tally.packets.to_be_bytes());
        out.extend(tally.ip_bytes.to_be_bytes());
        out.push(tally.tcp_flags);
        out.push(tally.ttl_min);
        out.push(tally.ttl_max);
    }
    id
}

/// Times before 1970 are 1970.
fn milliseconds(nanos: i128) -> u64 {
    u64::try_from(nanos.div_euclid(1_000_000).max(0)).unwrap_or(u64::MAX)
}

/// `flowEndReason` (RFC 5102).
const fn end_reason(end: End) -> u8 {
    match end {
        End::IdleTimeout => 1,
        End::ActiveTimeout => 2,
        End::TcpFin | End::TcpRst => 3,
        End::EndOfCapture => 4,
    }
}
