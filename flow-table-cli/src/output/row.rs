use std::net::IpAddr;

use serde::Serialize;

use crate::record::{End, FlowRecord, Orientation, Oriented, TcpState};

/// A record in the columns of the reference: what TSV has.
#[derive(Serialize)]
pub(super) struct Row {
    src: IpAddr,
    dst: IpAddr,
    proto: u8,
    sport: u16,
    dport: u16,
    first_ns: i128,
    last_ns: i128,
    packets: u64,
    ip_bytes: u64,
    wire_bytes: u64,
}

/// A record with everything that is known: what CSV and JSON lines have.
#[derive(Serialize)]
pub(super) struct WideRow {
    src: IpAddr,
    dst: IpAddr,
    proto: u8,
    sport: u16,
    dport: u16,
    first_ns: i128,
    last_ns: i128,
    packets: u64,
    ip_bytes: u64,
    wire_bytes: u64,
    end: End,
    state: TcpState,
    src_packets: u64,
    src_ip_bytes: u64,
    src_wire_bytes: u64,
    src_first_ns: Option<i128>,
    src_last_ns: Option<i128>,
    src_tcp_flags: u8,
    src_ttl_min: Option<u8>,
    src_ttl_max: Option<u8>,
    dst_packets: u64,
    dst_ip_bytes: u64,
    dst_wire_bytes: u64,
    dst_first_ns: Option<i128>,
    dst_last_ns: Option<i128>,
    dst_tcp_flags: u8,
    dst_ttl_min: Option<u8>,
    dst_ttl_max: Option<u8>,
    tenant: u32,
    tunnel: Option<String>,
    tunnel_id: Option<u32>,
    tunnel_src: Option<IpAddr>,
    tunnel_dst: Option<IpAddr>,
}

impl Row {
    pub(super) fn of(flow: &FlowRecord, orientation: Orientation) -> Self {
        let key = flow.oriented(orientation).key;
        Self {
            src: key.source().ip(),
            dst: key.destination().ip(),
            proto: key.protocol(),
            sport: key.source().port(),
            dport: key.destination().port(),
            first_ns: flow.tally.first_ns,
            last_ns: flow.tally.last_ns,
            packets: flow.tally.packets,
            ip_bytes: flow.tally.ip_bytes,
            wire_bytes: flow.tally.wire_bytes,
        }
    }
}

impl WideRow {
    /// The names of the columns, for CSV.
    pub(super) const HEADER: [&str; 33] = [
        "src",
        "dst",
        "proto",
        "sport",
        "dport",
        "first_ns",
        "last_ns",
        "packets",
        "ip_bytes",
        "wire_bytes",
        "end",
        "state",
        "src_packets",
        "src_ip_bytes",
        "src_wire_bytes",
        "src_first_ns",
        "src_last_ns",
        "src_tcp_flags",
        "src_ttl_min",
        "src_ttl_max",
        "dst_packets",
        "dst_ip_bytes",
        "dst_wire_bytes",
        "dst_first_ns",
        "dst_last_ns",
        "dst_tcp_flags",
        "dst_ttl_min",
        "dst_ttl_max",
        "tenant",
        "tunnel",
        "tunnel_id",
        "tunnel_src",
        "tunnel_dst",
    ];

    pub(super) fn of(flow: &FlowRecord, orientation: Orientation) -> Self {
        let Row { src, dst, proto, sport, dport, first_ns, last_ns, packets, ip_bytes, wire_bytes } =
            Row::of(flow, orientation);
        let Oriented { key, forward, reverse } = flow.oriented(orientation);
        let of_forward = |value| (forward.packets > 0).then_some(value);
        let of_reverse = |value| (reverse.packets > 0).then_some(value);
        let ttl = |has: bool, value| has.then_some(value);
        let tunnel = flow.tunnel.as_deref();
        Self {
            src,
            dst,
            proto,
            sport,
            dport,
            first_ns,
            last_ns,
            packets,
            ip_bytes,
            wire_bytes,
            end: flow.end,
            state: flow.state(),
            src_packets: forward.packets,
            src_ip_bytes: forward.ip_bytes,
            src_wire_bytes: forward.wire_bytes,
            src_first_ns: of_forward(forward.first_ns),
            src_last_ns: of_forward(forward.last_ns),
            src_tcp_flags: forward.tcp_flags,
            src_ttl_min: ttl(forward.packets > 0, forward.ttl_min),
            src_ttl_max: ttl(forward.packets > 0, forward.ttl_max),
            dst_packets: reverse.packets,
            dst_ip_bytes: reverse.ip_bytes,
            dst_wire_bytes: reverse.wire_bytes,
            dst_first_ns: of_reverse(reverse.first_ns),
            dst_last_ns: of_reverse(reverse.last_ns),
            dst_tcp_flags: reverse.tcp_flags,
            dst_ttl_min: ttl(reverse.packets > 0, reverse.ttl_min),
            dst_ttl_max: ttl(reverse.packets > 0, reverse.ttl_max),
            tenant: key.tenant().get(),
            tunnel: tunnel.map(|tunnel| tunnel.kind.to_string()),
            tunnel_id: tunnel.and_then(|tunnel| tunnel.id),
            tunnel_src: tunnel.map(|tunnel| tunnel.source),
            tunnel_dst: tunnel.map(|tunnel| tunnel.destination),
        }
    }
}
