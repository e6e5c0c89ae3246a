//! Records in the names of Zeek's `conn.log`, as far as a flow meter knows the fields.

use std::net::IpAddr;

use foldhash::fast::FixedState;
use serde::Serialize;
use std::hash::{BuildHasher, Hash};

use crate::packet::tcp::{ACK, FIN, RST, SYN};
use crate::record::{FlowRecord, Orientation, Oriented};

/// One line of `conn.log`.
#[derive(Serialize)]
pub(super) struct Conn {
    ts: f64,
    uid: String,
    #[serde(rename = "id.orig_h")]
    orig_h: IpAddr,
    #[serde(rename = "id.orig_p")]
    orig_p: u16,
    #[serde(rename = "id.resp_h")]
    resp_h: IpAddr,
    #[serde(rename = "id.resp_p")]
    resp_p: u16,
    proto: &'static str,
    duration: f64,
    conn_state: &'static str,
    history: String,
    orig_pkts: u64,
    orig_ip_bytes: u64,
    resp_pkts: u64,
    resp_ip_bytes: u64,
    ip_proto: u8,
}

impl Conn {
    pub(super) fn of(flow: &FlowRecord, orientation: Orientation) -> Self {
        let Oriented { key, forward, reverse } = flow.oriented(orientation);
        Self {
            ts: seconds(flow.tally.first_ns),
            uid: uid(flow),
            orig_h: key.source().ip(),
            orig_p: key.source().port(),
            resp_h: key.destination().ip(),
            resp_p: key.destination().port(),
            proto: match key.protocol() {
                1 | 58 => "icmp",
                6 => "tcp",
                17 => "udp",
                _ => "unknown_transport",
            },
            duration: seconds(flow.tally.last_ns.saturating_sub(flow.tally.first_ns)),
            conn_state: state(&flow.oriented(orientation)),
            history: history(flow, &flow.oriented(orientation)),
            orig_pkts: forward.packets,
            orig_ip_bytes: forward.ip_bytes,
            resp_pkts: reverse.packets,
            resp_ip_bytes: reverse.ip_bytes,
            ip_proto: key.protocol(),
        }
    }
}

fn seconds(nanos: i128) -> f64 {
    nanos as f64 / 1e9
}

/// The same record always has the same identifier.
fn uid(flow: &FlowRecord) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let hash = |seed: u64| {
        let mut hasher = FixedState::with_seed(seed).build_hasher();
        (flow.key, flow.tally.first_ns).hash(&mut hasher);
        std::hash::Hasher::finish(&hasher)
    };
    let mut number = u128::from(hash(1)) << 64 | u128::from(hash(2));
    let digits = std::iter::repeat_with(|| {
        let digit = DIGITS[(number % 62) as usize];
        number /= 62;
        char::from(digit)
    });
    std::iter::once('C').chain(digits.take(17)).collect()
}

/// Zeek's state of a connection, by the flags of both directions. Flags have no order, so `RSTO` and `RSTR` are
/// told apart by who sent RST, and the originator is named if both did.
fn state(flow: &Oriented<'_>) -> &'static str {
    let (origin, response) = (flow.forward.tcp_flags, flow.reverse.tcp_flags);
    if flow.key.protocol() != 6 {
        return if flow.reverse.packets > 0 && flow.forward.packets > 0 { "SF" } else { "S0" };
    }
    let established = origin & SYN != 0 && response & SYN != 0;
    match (origin & SYN != 0, flow.reverse.packets > 0) {
        _ if established && origin & RST != 0 => "RSTO",
        _ if established && response & RST != 0 => "RSTR",
        _ if established && origin & response & FIN != 0 => "SF",
        _ if established && origin & FIN != 0 => "S2",
        _ if established && response & FIN != 0 => "S3",
        _ if established => "S1",
        (true, true) if response & RST != 0 => "REJ",
        (true, false) if origin & RST != 0 => "RSTOS0",
        (true, false) if origin & FIN != 0 => "SH",
        (true, false) => "S0",
        (false, true) if response & (SYN | RST) == SYN | RST => "RSTRH",
        (false, true) if response & (SYN | FIN) == SYN | FIN => "SHR",
        _ => "OTH",
    }
}

/// Which flags were seen, in Zeek's letters: those of the originator first, in capitals, then those of the
/// responder. `^` says that the responder sent the first packet.
fn history(record: &FlowRecord, flow: &Oriented<'_>) -> String {
    let letters = |flags: u8, packets: u64| {
        let syn = match flags & (SYN | ACK) {
            SYN => Some('s'),
            both if both & SYN != 0 => Some('h'),
            both if both & ACK != 0 => Some('a'),
            _ if packets > 0 && flags == 0 => Some('d'),
            _ => None,
        };
        let fin = (flags & FIN != 0).then_some('f');
        let rst = (flags & RST != 0).then_some('r');
        syn.into_iter().chain(fin).chain(rst)
    };
    let first_by_responder = (flow.key != record.key) != record.first_reversed;
    let origin = letters(flow.forward.tcp_flags, flow.forward.packets);
    let response = letters(flow.reverse.tcp_flags, flow.reverse.packets);
    let flipped = first_by_responder.then_some('^');
    flipped.into_iter().chain(origin.map(|letter| letter.to_ascii_uppercase())).chain(response).collect()
}
