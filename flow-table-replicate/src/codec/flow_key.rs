use std::hash::Hasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use flow_table_api::{FlowKey, Tenant};

use super::traits::{KeyCodec, Malformed};

/// [`FlowKey`]s: 17 bytes for IPv4, 41 for IPv6. Both directions of a conversation are in one shard.
///
/// ```text
/// family | protocol | tenant | source address | source port | destination address | destination port
///   1         1         3        4 or 16             2             4 or 16                2
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FlowKeys;

fn form(key: &FlowKey) -> ([u8; 41], usize) {
    let mut bytes = [0; 41];
    let mut len = 0;
    let mut put = |part: &[u8]| {
        bytes[len..len + part.len()].copy_from_slice(part);
        len += part.len();
    };
    let [_, tenant @ ..] = key.tenant().get().to_be_bytes();
    put(&[if key.source().is_ipv4() { 4 } else { 6 }, key.protocol()]);
    put(&tenant);
    for end in [key.source(), key.destination()] {
        match end.ip() {
            IpAddr::V4(address) => put(&address.octets()),
            IpAddr::V6(address) => put(&address.octets()),
        }
        put(&end.port().to_be_bytes());
    }
    (bytes, len)
}

impl KeyCodec<FlowKey> for FlowKeys {
    fn encode_key(&self, key: &FlowKey, bytes: &mut Vec<u8>) {
        let (form, len) = form(key);
        bytes.extend_from_slice(&form[..len]);
    }

    fn decode_key(&self, bytes: &[u8]) -> Result<FlowKey, Malformed> {
        let (head, ends) = bytes.split_first_chunk::<5>().ok_or(Malformed)?;
        let [family, protocol, tenant @ ..] = *head;
        let [a, b, c] = tenant;
        let tenant = Tenant::new(u32::from_be_bytes([0, a, b, c])).ok_or(Malformed)?;
        let (source, destination) = ends.split_at(ends.len() / 2);
        let (source, destination) = (end(family, source)?, end(family, destination)?);
        let key = FlowKey::new(source, destination, protocol).map_err(|_| Malformed)?;
        Ok(key.with_tenant(tenant))
    }

    fn shard_key(&self, key: &FlowKey, hasher: &mut impl Hasher) {
        let (form, len) = form(&key.canonical().0);
        hasher.write(&form[..len]);
    }
}

fn end(family: u8, bytes: &[u8]) -> Result<SocketAddr, Malformed> {
    let (address, port) = bytes.split_last_chunk::<2>().ok_or(Malformed)?;
    let address: IpAddr = match family {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(address).map_err(|_| Malformed)?).into(),
        6 => Ipv6Addr::from(<[u8; 16]>::try_from(address).map_err(|_| Malformed)?).into(),
        _ => return Err(Malformed),
    };
    Ok(SocketAddr::new(address, u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClusterKey;
    use proptest::prelude::*;

    #[test]
    fn the_form_of_keys_never_changes() {
        let mut bytes = Vec::new();
        FlowKeys.encode_key(&"udp 10.0.0.1:5353 > 10.0.0.2:53 @7".parse().unwrap(), &mut bytes);
        assert_eq!(bytes, [4, 17, 0, 0, 7, 10, 0, 0, 1, 0x14, 0xe9, 10, 0, 0, 2, 0, 53]);
    }

    #[test]
    fn both_directions_are_in_one_shard() {
        let cluster = ClusterKey::new([7; 16]);
        let shard = |key: FlowKey| cluster.hash(|hasher| FlowKeys.shard_key(&key, hasher));
        let key: FlowKey = "tcp [2001:db8::1]:443 > [2001:db8::2]:40000".parse().unwrap();
        assert_eq!(shard(key), shard(key.reversed()));
        assert_ne!(shard(key), shard(key.with_tenant(Tenant::MAX)));
    }

    proptest! {
        #[test]
        fn keys_come_back(a: [u8; 4], b: [u8; 16], ports: (u16, u16), protocol: u8, tenant in 0..1u32 << 24) {
            let tenant = Tenant::new(tenant).unwrap();
            for (one, other) in [(IpAddr::from(a), IpAddr::from([a[3]; 4])), (b.into(), [b[5]; 16].into())] {
                let ends = (SocketAddr::new(one, ports.0), SocketAddr::new(other, ports.1));
                let key = FlowKey::new(ends.0, ends.1, protocol).unwrap().with_tenant(tenant);
                let mut bytes = Vec::new();
                FlowKeys.encode_key(&key, &mut bytes);
                prop_assert_eq!(FlowKeys.decode_key(&bytes), Ok(key));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            if let Ok(key) = FlowKeys.decode_key(&bytes) {
                let mut again = Vec::new();
                FlowKeys.encode_key(&key, &mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
