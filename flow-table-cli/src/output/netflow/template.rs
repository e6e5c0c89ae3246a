use std::net::IpAddr;

use flow_table::FlowKey;

use super::version::Version;
use crate::record::{End, Oriented, Tally};

/// The enterprise number that marks the elements of the reverse direction (RFC 5103).
const REVERSE: u32 = 29305;

/// An information element: its number in the registry, its length in bytes, and whether it is of the reverse
/// direction.
type Element = (u16, u16, bool);

const SOURCE_V4: Element = (8, 4, false);
const DESTINATION_V4: Element = (12, 4, false);
const SOURCE_V6: Element = (27, 16, false);
const DESTINATION_V6: Element = (28, 16, false);

/// What tells flows apart besides addresses, and why they ended, in the order of [`key`].
const KEY: [Element; 5] = [
    (7, 2, false),   // sourceTransportPort
    (11, 2, false),  // destinationTransportPort
    (4, 1, false),   // protocolIdentifier
    (136, 1, false), // flowEndReason
    (234, 4, false), // ingressVRFID: the tenant
];

/// The sums of a direction, in the order of [`sums`].
const fn direction(reverse: bool) -> [Element; 7] {
    [
        (152, 8, reverse), // flowStartMilliseconds
        (153, 8, reverse), // flowEndMilliseconds
        (2, 8, reverse),   // packetDeltaCount
        (1, 8, reverse),   // octetDeltaCount
        (6, 1, reverse),   // tcpControlBits
        (52, 1, reverse),  // minimumTTL
        (53, 1, reverse),  // maximumTTL
    ]
}

/// The numbers of the templates, which are those of the data sets.
pub(super) const V4: u16 = 256;
pub(super) const V6: u16 = 257;

/// The number of templates.
pub(super) const COUNT: u32 = 2;

/// The templates' set.
pub(super) fn set(version: Version) -> Vec<u8> {
    let reverse = (version == Version::Ipfix).then(|| direction(true));
    let common: Vec<Element> =
        KEY.into_iter().chain(direction(false)).chain(reverse.into_iter().flatten()).collect();
    let mut records = Vec::new();
    for (id, ends) in [(V4, [SOURCE_V4, DESTINATION_V4]), (V6, [SOURCE_V6, DESTINATION_V6])] {
        records.extend(id.to_be_bytes());
        records.extend(((ends.len() + common.len()) as u16).to_be_bytes());
        for (number, length, reverse) in ends.iter().chain(&common) {
            let enterprise = if *reverse { 0x8000 } else { 0 };
            records.extend((number | enterprise).to_be_bytes());
            records.extend(length.to_be_bytes());
            if *reverse {
                records.extend(REVERSE.to_be_bytes());
            }
        }
    }
    let length = 4 + records.len() as u16;
    [&version.template_set().to_be_bytes()[..], &length.to_be_bytes(), &records].concat()
}

/// Appends the record of both directions, and returns the number of its template.
pub(super) fn both(oriented: &Oriented<'_>, end: End, out: &mut Vec<u8>) -> u16 {
    let id = key(&oriented.key, end, out);
    for (tally, other) in [(oriented.forward, oriented.reverse), (oriented.reverse, oriented.forward)] {
        // A direction without packets has the times of the other one.
        let times = if tally.packets == 0 { other } else { tally };
        sums(tally, times, out);
    }
    id
}

/// Appends the record of one direction, and returns the number of its template.
pub(super) fn one(from: &FlowKey, tally: &Tally, end: End, out: &mut Vec<u8>) -> u16 {
    let id = key(from, end, out);
    sums(tally, tally, out);
    id
}

fn key(key: &FlowKey, end: End, out: &mut Vec<u8>) -> u16 {
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
    out.push(end_reason(end));
    out.extend(key.tenant().get().to_be_bytes());
    id
}

fn sums(tally: &Tally, times: &Tally, out: &mut Vec<u8>) {
    out.extend(milliseconds(times.first_ns).to_be_bytes());
    out.extend(milliseconds(times.last_ns).to_be_bytes());
    out.extend(tally.packets.to_be_bytes());
    out.extend(tally.ip_bytes.to_be_bytes());
    out.extend([tally.tcp_flags, tally.ttl_min, tally.ttl_max]);
}

/// Times before 1970 are 1970.
pub(super) fn milliseconds(nanos: i128) -> u64 {
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
