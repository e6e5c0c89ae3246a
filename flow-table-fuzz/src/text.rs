//! Keys and timeouts as texts.

use std::hash::BuildHasher;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use flow_table_api::{Direction, FlowKey, KeyHasher, Tenant, Timeout};
use flow_table_cli::idle::IdleTimeout;

/// Uses the bytes as a text, and as the fields of a key.
pub fn check(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        if let Ok(key) = text.parse() {
            check_key(key);
        }
        if let Ok(idle) = text.parse::<IdleTimeout>() {
            check_timeout(idle);
        }
    }
    if let Some((fields, rest)) = bytes.split_first_chunk() {
        check_key(v4(fields));
        if let Some(more) = rest.first_chunk() {
            check_key(v6(fields, more));
        }
    }
}

/// Writes and parses `key`, and reverses it.
pub(crate) fn check_key(key: FlowKey) {
    assert_eq!(key.to_string().parse(), Ok(key));
    let again =
        FlowKey::new(key.source(), key.destination(), key.protocol()).map(|new| new.with_tenant(key.tenant()));
    assert_eq!(again, Ok(key));

    let reply = key.reversed();
    assert_eq!((reply.source(), reply.destination()), (key.destination(), key.source()));
    assert_eq!((reply.protocol(), reply.tenant(), reply.reversed()), (key.protocol(), key.tenant(), key));

    let (canonical, direction) = key.canonical();
    assert_eq!(canonical, if direction == Direction::Forward { key } else { reply });
    assert_eq!(canonical, reply.canonical().0);
    let hash = |key| KeyHasher::with_seed(7).hash_one(key);
    assert_eq!(hash(canonical) == hash(key), canonical == key, "{key}");
}

fn check_timeout(idle: IdleTimeout) {
    let timeout = idle.timeout();
    assert_ne!(timeout, Timeout::ZERO);
    if timeout != Timeout::NEVER {
        assert_eq!(format!("{}ns", timeout.as_nanos()).parse(), Ok(idle));
    }
}

fn v4(&[protocol, t0, t1, t2, s0, s1, s2, s3, d0, d1, d2, d3, sp0, sp1, dp0, dp1]: &[u8; 16]) -> FlowKey {
    let source = SocketAddrV4::new(Ipv4Addr::new(s0, s1, s2, s3), u16::from_be_bytes([sp0, sp1]));
    let destination = SocketAddrV4::new(Ipv4Addr::new(d0, d1, d2, d3), u16::from_be_bytes([dp0, dp1]));
    FlowKey::v4(source, destination, protocol).with_tenant(tenant([t0, t1, t2]))
}

/// The addresses are `ends`, from the right.
fn v6(fields: &[u8; 16], ends: &[u8; 16]) -> FlowKey {
    let ip = |bytes: &[u8; 16]| Ipv6Addr::from(*bytes);
    let port = u16::from_be_bytes([fields[4], fields[5]]);
    let source = SocketAddrV6::new(ip(ends), port, 0, 0);
    let destination = SocketAddrV6::new(ip(fields), !port, 0, 0);
    FlowKey::v6(source, destination, fields[0]).with_tenant(tenant([fields[1], fields[2], fields[3]]))
}

fn tenant([a, b, c]: [u8; 3]) -> Tenant {
    Tenant::new(u32::from_be_bytes([0, a, b, c])).expect("24 bits")
}
