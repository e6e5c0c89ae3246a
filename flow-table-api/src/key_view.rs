use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use equivalent::Equivalent;

use crate::{FlowKey, Tenant};

/// The headers of a packet, as a form of its [`FlowKey`] (contract L7). A look-up by it reads the addresses where
/// they lie in the packet, so a packet of a known flow needs no key of 44 bytes. [`key`](Self::key) makes the key
/// for a new flow.
///
/// ```
/// use flow_table_api::{FlowKey, FlowKeyView};
///
/// let mut header = [0; 20]; // an IPv4 header
/// header[9] = 17; // UDP
/// header[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
/// let ports = [0x14, 0xe9, 0x00, 0x35]; // the first bytes of the UDP header
/// let view = FlowKeyView::ipv4(&header, ports);
/// assert_eq!(view.key(), "udp 10.0.0.1:5353 > 10.0.0.2:53".parse()?);
/// # Ok::<(), flow_table_api::FlowKeyError>(())
/// ```
#[derive(Clone, Copy)]
pub struct FlowKeyView<'p> {
    addresses: Addresses<'p>,
    /// Source and destination, in network byte order.
    ports: [u8; 4],
    protocol: u8,
    tenant: Tenant,
}

/// Source and destination, one after the other, in network byte order.
#[derive(Clone, Copy)]
enum Addresses<'p> {
    V4(&'p [u8; 8]),
    V6(&'p [u8; 32]),
}

impl<'p> FlowKeyView<'p> {
    /// The view of a packet with this IPv4 header, without options, and these ports: the first four bytes of a TCP
    /// or UDP header, or zeros.
    #[inline]
    pub const fn ipv4(header: &'p [u8; 20], ports: [u8; 4]) -> Self {
        let addresses = Addresses::V4(header.last_chunk().expect("it is longer"));
        Self { addresses, ports, protocol: header[9], tenant: Tenant::ZERO }
    }

    /// The view of a packet with this IPv6 header and these ports: the first four bytes of a TCP or UDP header, or
    /// zeros. `protocol` is the IANA number of the header that follows the extension headers.
    #[inline]
    pub const fn ipv6(header: &'p [u8; 40], protocol: u8, ports: [u8; 4]) -> Self {
        let addresses = Addresses::V6(header.last_chunk().expect("it is longer"));
        Self { addresses, ports, protocol, tenant: Tenant::ZERO }
    }

    /// The same view for another tenant.
    #[inline]
    pub const fn with_tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = tenant;
        self
    }

    /// The key.
    pub fn key(&self) -> FlowKey {
        let [s0, s1, d0, d1] = self.ports;
        let (source, destination) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
        let key = match self.addresses {
            Addresses::V4(&[a, b, c, d, e, f, g, h]) => FlowKey::v4(
                SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), source),
                SocketAddrV4::new(Ipv4Addr::new(e, f, g, h), destination),
                self.protocol,
            ),
            Addresses::V6(both) => {
                let end = |bytes: Option<&[u8; 16]>, port| {
                    let bytes = *bytes.expect("half of 32 bytes");
                    SocketAddrV6::new(Ipv6Addr::from(bytes), port, 0, 0)
                };
                FlowKey::v6(end(both.first_chunk(), source), end(both.last_chunk(), destination), self.protocol)
            }
        };
        key.with_tenant(self.tenant)
    }

    /// Two neighbouring words of the key, the first one in the lower half.
    #[inline]
    fn pair(bytes: &[u8; 8]) -> u64 {
        u64::from_be_bytes(*bytes).rotate_left(32)
    }

    #[inline]
    fn last_pair(&self) -> u64 {
        let (tenant, protocol) = (u64::from(self.tenant.get()), u64::from(self.protocol));
        (tenant << 8 | protocol) << 32 | u64::from(u32::from_be_bytes(self.ports))
    }
}

impl Hash for FlowKeyView<'_> {
    /// As the key.
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self.addresses {
            Addresses::V4(both) => hasher.write_u64(Self::pair(both)),
            Addresses::V6(both) => {
                both.as_chunks().0.iter().for_each(|bytes| hasher.write_u64(Self::pair(bytes)));
            }
        }
        hasher.write_u64(self.last_pair());
    }
}

impl Equivalent<FlowKey> for FlowKeyView<'_> {
    #[inline]
    fn equivalent(&self, key: &FlowKey) -> bool {
        let differs = match (self.addresses, key.v4_pair()) {
            (Addresses::V4(both), Some(own)) => own ^ Self::pair(both),
            (Addresses::V6(both), None) => {
                let pairs = both.as_chunks().0.iter().map(Self::pair);
                key.v6_pairs().into_iter().zip(pairs).fold(0, |differs, (own, other)| differs | (own ^ other))
            }
            _ => return false,
        };
        differs | (key.last_pair() ^ self.last_pair()) == 0
    }
}

impl From<FlowKeyView<'_>> for FlowKey {
    fn from(view: FlowKeyView<'_>) -> Self {
        view.key()
    }
}

impl fmt::Debug for FlowKeyView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlowKeyView({})", self.key())
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use proptest::prelude::*;

    use super::*;
    use crate::KeyHasher;

    proptest! {
        #[test]
        fn a_view_is_its_key(
            header: [u8; 40], protocol: u8, ports: [u8; 4], tenant in 0..=Tenant::MAX.get(), flip in 0usize..44,
        ) {
            let tenant = Tenant::new(tenant).expect("within bounds");
            let v4 = FlowKeyView::ipv4(header.first_chunk().expect("20 bytes"), ports).with_tenant(tenant);
            let v6 = FlowKeyView::ipv6(&header, protocol, ports).with_tenant(tenant);
            let hasher = KeyHasher::with_seed(7);
            for (view, other) in [(v4, v6), (v6, v4)] {
                let key = view.key();
                prop_assert!(view.equivalent(&key) && !other.equivalent(&key));
                prop_assert_eq!(hasher.hash_one(view), hasher.hash_one(key));
                prop_assert_eq!((key.protocol(), key.tenant()), (view.protocol, tenant));
            }
            let mut changed = (header, ports);
            if flip < 40 { changed.0[flip] ^= 1 } else { changed.1[flip - 40] ^= 1 }
            let changed = FlowKeyView::ipv6(&changed.0, protocol, changed.1).with_tenant(tenant);
            prop_assert_eq!(changed.equivalent(&v6.key()), flip < 8, "the rest is not in the key");
        }
    }
}
