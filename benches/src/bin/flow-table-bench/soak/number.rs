use std::hash::BuildHasher;
use std::net::{Ipv4Addr, SocketAddrV4, SocketAddrV6};

use flow_table::{FlowKey, KeyHasher};

/// The number of a key.
///
/// Even ones are *sheltered*: no thread ends their flows before the deadline, replaces them or moves their
/// deadline to an earlier time. So what a refresh granted must hold there, whatever the threads do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Number(pub(super) u32);

impl Number {
    pub(super) const fn is_sheltered(self) -> bool {
        self.0 & 1 == 0
    }

    /// The key's hash in tables of this seed.
    pub(super) fn hash(self, hasher: &KeyHasher) -> u64 {
        hasher.hash_one(self.key())
    }

    /// The key: two in four are IPv6.
    pub(super) fn key(self) -> FlowKey {
        let source = SocketAddrV4::new(Ipv4Addr::from_bits(self.0), 40_000);
        let destination = SocketAddrV4::new(Ipv4Addr::from_bits(!self.0), 443);
        if self.0 & 2 == 0 {
            return FlowKey::v4(source, destination, 6);
        }
        let v6 = |end: SocketAddrV4| SocketAddrV6::new(end.ip().to_ipv6_compatible(), end.port(), 0, 0);
        FlowKey::v6(v6(source), v6(destination), 17)
    }
}
