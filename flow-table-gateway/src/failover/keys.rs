use std::hash::Hasher;

use flow_table::FlowKey;
use flow_table_replicate::codec::{FlowKeys, KeyCodec, Malformed};

use crate::side::Side;

/// Keys as [`FlowKeys`] writes them. All flows that an inside address and port begins are in one shard, because
/// they share an outside port, and that is of the block of their shard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys;

impl KeyCodec<FlowKey> for Keys {
    fn encode_key(&self, key: &FlowKey, bytes: &mut Vec<u8>) {
        FlowKeys.encode_key(key, bytes);
    }

    fn decode_key(&self, bytes: &[u8]) -> Result<FlowKey, Malformed> {
        FlowKeys.decode_key(bytes)
    }

    fn shard_key(&self, key: &FlowKey, hasher: &mut impl Hasher) {
        // Whoever begins a flow is the source of its key. A flow that the outside begins takes no port.
        match FlowKey::new(key.source(), unspecified(key), key.protocol()) {
            Ok(begins) if Side::of(key) == Side::Inside => FlowKeys.shard_key(&begins, hasher),
            _ => FlowKeys.shard_key(key, hasher),
        }
    }
}

fn unspecified(key: &FlowKey) -> std::net::SocketAddr {
    let address = match key.source().ip() {
        std::net::IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        std::net::IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    std::net::SocketAddr::new(address, 0)
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use super::*;

    #[test]
    fn what_shares_an_outside_port_is_in_one_shard() {
        let shard = |key: &str, side: Side| {
            let mut hasher = DefaultHasher::new();
            Keys.shard_key(&side.key(key.parse().unwrap()), &mut hasher);
            hasher.finish()
        };
        let inside = |key| shard(key, Side::Inside);
        let first = inside("udp 10.0.0.2:5000 > 192.0.2.1:53");
        assert_eq!(first, inside("udp 10.0.0.2:5000 > 192.0.2.9:99"));
        assert_ne!(first, inside("udp 10.0.0.2:5001 > 192.0.2.1:53"));
        assert_ne!(first, inside("tcp 10.0.0.2:5000 > 192.0.2.1:53"));
        let outside = |key| shard(key, Side::Outside);
        let visitor = outside("tcp 192.0.2.1:999 > 203.0.113.1:80");
        assert_ne!(visitor, outside("tcp 192.0.2.1:998 > 203.0.113.1:80"));
        assert_ne!(inside("tcp [fd01::1]:5 > [2001:db8::1]:80"), inside("tcp [fd01::2]:5 > [2001:db8::1]:80"));
    }
}
