use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::str::FromStr;

use crate::Direction;

/// A ready flow key: IPv4 or IPv6 5-tuple plus a 24-bit tenant id, in 44 bytes.
///
/// ```text
/// word  0..4        4..8        8                       9                      10
///      +-----------+-----------+-----------------------+----------------------+--------+
///      | source    | destin.   | src port << 16 | dst  | tenant << 8 | proto  | family |
///      +-----------+-----------+-----------------------+----------------------+--------+
/// ```
///
/// An IPv4 address takes the first of the four words of its field. The family word distinguishes IPv4 from
/// IPv4-mapped IPv6. Hashing feeds two 64-bit words to the hasher for IPv4 and five for IPv6. Keys are ordered
/// by their words.
///
/// ```
/// # use flow_table_api::FlowKey;
/// let key: FlowKey = "udp 10.0.0.1:5353 > 10.0.0.2:53 @7".parse()?;
/// assert_eq!(key.tenant().get(), 7);
/// assert_eq!(key.reversed().to_string(), "udp 10.0.0.2:53 > 10.0.0.1:5353 @7");
/// # Ok::<(), flow_table_api::FlowKeyError>(())
/// ```
#[derive(Clone, Copy, Eq, PartialOrd, Ord)]
pub struct FlowKey([u32; 11]);

const PORTS: usize = 8;
const TENANT_PROTOCOL: usize = 9;
const FAMILY: usize = 10;
const V4: u32 = 4;
const V6: u32 = 6;

/// A 24-bit tenant id: a VRF, a VPC, a VNI, or whatever else distinguishes equal addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(u32);

impl Tenant {
    /// The tenant of keys for which none is set.
    pub const ZERO: Self = Self(0);
    /// The largest tenant id.
    pub const MAX: Self = Self((1 << 24) - 1);

    /// The tenant `id`, or `None` if it is 2²⁴ or more.
    pub const fn new(id: u32) -> Option<Self> {
        if id <= Self::MAX.0 { Some(Self(id)) } else { None }
    }

    /// The id.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Why a [`FlowKey`] could not be made.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlowKeyError {
    /// One end is IPv4 and the other IPv6.
    #[error("the ends {0} and {1} are of different address families: both must be IPv4, or both IPv6")]
    MixedFamilies(SocketAddr, SocketAddr),
    /// The text does not have the form of a key.
    #[error("`{0}` is no key: write `PROTOCOL SOURCE:PORT > DESTINATION:PORT`, then `@NUMBER` for a tenant")]
    Syntax(String),
}

impl FlowKey {
    /// An IPv4 key without tenant; `protocol` is the IANA number.
    pub const fn v4(source: SocketAddrV4, destination: SocketAddrV4, protocol: u8) -> Self {
        Self([
            source.ip().to_bits(),
            0,
            0,
            0,
            destination.ip().to_bits(),
            0,
            0,
            0,
            ports(source.port(), destination.port()),
            protocol as u32,
            V4,
        ])
    }

    /// An IPv6 key without tenant; `protocol` is the IANA number. Flow labels and scope ids are not part of it.
    pub const fn v6(source: SocketAddrV6, destination: SocketAddrV6, protocol: u8) -> Self {
        let (s, d) = (source.ip().to_bits(), destination.ip().to_bits());
        Self([
            (s >> 96) as u32,
            (s >> 64) as u32,
            (s >> 32) as u32,
            s as u32,
            (d >> 96) as u32,
            (d >> 64) as u32,
            (d >> 32) as u32,
            d as u32,
            ports(source.port(), destination.port()),
            protocol as u32,
            V6,
        ])
    }

    /// A key without tenant; `protocol` is the IANA number.
    ///
    /// # Errors
    ///
    /// [`FlowKeyError::MixedFamilies`] if one address is IPv4 and the other one IPv6.
    pub fn new(source: SocketAddr, destination: SocketAddr, protocol: u8) -> Result<Self, FlowKeyError> {
        match (source, destination) {
            (SocketAddr::V4(source), SocketAddr::V4(destination)) => Ok(Self::v4(source, destination, protocol)),
            (SocketAddr::V6(source), SocketAddr::V6(destination)) => Ok(Self::v6(source, destination, protocol)),
            _ => Err(FlowKeyError::MixedFamilies(source, destination)),
        }
    }

    /// The same key for another tenant.
    pub const fn with_tenant(mut self, tenant: Tenant) -> Self {
        self.0[TENANT_PROTOCOL] = tenant.0 << 8 | self.0[TENANT_PROTOCOL] & 0xff;
        self
    }

    const fn ip(&self, at: usize) -> IpAddr {
        let words = &self.0;
        if words[FAMILY] == V4 {
            return IpAddr::V4(Ipv4Addr::from_bits(words[at]));
        }
        let bits = (words[at] as u128) << 96
            | (words[at + 1] as u128) << 64
            | (words[at + 2] as u128) << 32
            | words[at + 3] as u128;
        IpAddr::V6(Ipv6Addr::from_bits(bits))
    }

    /// The source address and port.
    pub const fn source(&self) -> SocketAddr {
        SocketAddr::new(self.ip(0), (self.0[PORTS] >> 16) as u16)
    }

    /// The destination address and port.
    pub const fn destination(&self) -> SocketAddr {
        SocketAddr::new(self.ip(4), self.0[PORTS] as u16)
    }

    /// The IANA protocol number.
    pub const fn protocol(&self) -> u8 {
        self.0[TENANT_PROTOCOL] as u8
    }

    /// The tenant.
    pub const fn tenant(&self) -> Tenant {
        Tenant(self.0[TENANT_PROTOCOL] >> 8)
    }

    /// The key of packets in the opposite direction: source and destination are swapped.
    pub const fn reversed(&self) -> Self {
        let w = &self.0;
        Self([
            w[4],
            w[5],
            w[6],
            w[7],
            w[0],
            w[1],
            w[2],
            w[3],
            w[PORTS].rotate_left(16),
            w[TENANT_PROTOCOL],
            w[FAMILY],
        ])
    }

    /// The key with its lower end first, by address and then by port: both directions of a conversation have
    /// the same canonical key. Returns `Reply` beside it if this key had to be reversed, else `Forward`.
    pub fn canonical(&self) -> (Self, Direction) {
        let end = |at: usize, port: u32| ([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]], port);
        if end(0, self.0[PORTS] >> 16) <= end(4, self.0[PORTS] & 0xffff) {
            (*self, Direction::Forward)
        } else {
            (self.reversed(), Direction::Reply)
        }
    }
}

/// What the hash and [`FlowKeyView`](crate::FlowKeyView) see of a key: pairs of its words.
impl FlowKey {
    /// Two words. Neighbours are in the order that makes them one load on little-endian machines.
    #[inline]
    const fn pair(&self, low: usize, high: usize) -> u64 {
        (self.0[high] as u64) << 32 | self.0[low] as u64
    }

    /// The addresses, if they are IPv4.
    #[inline]
    pub(crate) const fn v4_pair(&self) -> Option<u64> {
        if self.0[FAMILY] == V4 { Some(self.pair(0, 4)) } else { None }
    }

    /// The addresses of a key that is not IPv4.
    #[inline]
    pub(crate) const fn v6_pairs(&self) -> [u64; 4] {
        [self.pair(0, 1), self.pair(2, 3), self.pair(4, 5), self.pair(6, 7)]
    }

    /// Ports, tenant and protocol.
    #[inline]
    pub(crate) const fn last_pair(&self) -> u64 {
        self.pair(PORTS, TENANT_PROTOCOL)
    }
}

const fn ports(source: u16, destination: u16) -> u32 {
    (source as u32) << 16 | destination as u32
}

impl PartialEq for FlowKey {
    /// Without branches and without a call: keys that are compared are nearly always equal.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |differs, (word, other)| differs | (word ^ other)) == 0
    }
}

impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self.v4_pair() {
            Some(pair) => hasher.write_u64(pair),
            None => self.v6_pairs().into_iter().for_each(|pair| hasher.write_u64(pair)),
        }
        hasher.write_u64(self.last_pair());
    }
}

const PROTOCOLS: [(u8, &str); 7] =
    [(1, "icmp"), (6, "tcp"), (17, "udp"), (33, "dccp"), (58, "icmpv6"), (132, "sctp"), (136, "udplite")];

impl fmt::Display for FlowKey {
    /// Writes `udp 10.0.0.1:5353 > 10.0.0.2:53`, followed by ` @TENANT` if the tenant is not zero. A protocol
    /// that has no name here is written as its number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PROTOCOLS.iter().find(|(number, _)| *number == self.protocol()) {
            Some((_, name)) => f.write_str(name)?,
            None => write!(f, "{}", self.protocol())?,
        }
        write!(f, " {} > {}", self.source(), self.destination())?;
        match self.tenant().get() {
            0 => Ok(()),
            tenant => write!(f, " @{tenant}"),
        }
    }
}

impl fmt::Debug for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlowKey({self})")
    }
}

impl FromStr for FlowKey {
    type Err = FlowKeyError;

    fn from_str(text: &str) -> Result<Self, FlowKeyError> {
        let syntax = || FlowKeyError::Syntax(text.to_owned());
        let mut words = text.split_whitespace();
        let mut word = || words.next().ok_or_else(syntax);

        let protocol = word()?;
        let protocol = match PROTOCOLS.iter().find(|(_, name)| *name == protocol) {
            Some((number, _)) => *number,
            None => protocol.parse().map_err(|_| syntax())?,
        };
        let source = word()?.parse().map_err(|_| syntax())?;
        if word()? != ">" {
            return Err(syntax());
        }
        let destination = word()?.parse().map_err(|_| syntax())?;
        let tenant = match words.next() {
            None => Tenant::default(),
            Some(word) => {
                word.strip_prefix('@').and_then(|id| id.parse().ok()).and_then(Tenant::new).ok_or_else(syntax)?
            }
        };
        if words.next().is_some() {
            return Err(syntax());
        }
        Ok(Self::new(source, destination, protocol)?.with_tenant(tenant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyHasher;
    use proptest::prelude::*;
    use std::hash::BuildHasher;

    fn any_key() -> impl Strategy<Value = FlowKey> {
        let v4 = any::<(Ipv4Addr, u16, Ipv4Addr, u16, u8)>()
            .prop_map(|(s, sp, d, dp, p)| FlowKey::v4(SocketAddrV4::new(s, sp), SocketAddrV4::new(d, dp), p));
        let v6 = any::<(Ipv6Addr, u16, Ipv6Addr, u16, u8)>().prop_map(|(s, sp, d, dp, p)| {
            FlowKey::v6(SocketAddrV6::new(s, sp, 0, 0), SocketAddrV6::new(d, dp, 0, 0), p)
        });
        (prop_oneof![v4, v6], 0..=Tenant::MAX.0).prop_map(|(key, tenant)| key.with_tenant(Tenant(tenant)))
    }

    proptest! {
        #[test]
        fn display_parses_back(key in any_key()) {
            prop_assert_eq!(key.to_string().parse::<FlowKey>(), Ok(key));
        }

        #[test]
        fn reversed_swaps_the_ends_only(key in any_key()) {
            let back = key.reversed();
            prop_assert_eq!((back.source(), back.destination()), (key.destination(), key.source()));
            prop_assert_eq!((back.protocol(), back.tenant()), (key.protocol(), key.tenant()));
            prop_assert_eq!(back.reversed(), key);
            prop_assert_eq!(back.canonical().0, key.canonical().0);
        }

        #[test]
        fn parsing_never_panics(text: String) {
            let _ = text.parse::<FlowKey>();
        }
    }

    #[test]
    fn mapped_addresses_are_not_ipv4() {
        let v4: FlowKey = "tcp 1.2.3.4:5 > 6.7.8.9:10".parse().unwrap();
        let mapped: FlowKey = "tcp [::ffff:1.2.3.4]:5 > [::ffff:6.7.8.9]:10".parse().unwrap();
        let compatible: FlowKey = "tcp [102:304::]:5 > [607:809::]:10".parse().unwrap();
        let hash = |key| KeyHasher::with_seed(1).hash_one(key);
        for other in [mapped, compatible] {
            assert_ne!(v4, other);
            assert_ne!(hash(v4), hash(other));
        }
        assert!("tcp 1.2.3.4:5 > [::1]:6".parse::<FlowKey>().is_err());
    }

    #[test]
    fn size_is_as_documented() {
        assert_eq!(size_of::<FlowKey>(), 44);
        assert!(Tenant::new(1 << 24).is_none());
    }
}
