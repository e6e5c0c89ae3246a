use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flow_table_replicate::cluster::PortBlocks;

use crate::config::{Nat, Pooling};
use crate::nat::ports::Ports;
use crate::nat::share::Share;
use crate::packet::{ICMP, TCP, UDP};

/// A protocol without ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Portless;

/// The identifiers of echo requests.
const IDENTIFIERS: RangeInclusive<u16> = 0..=u16::MAX;

/// One outside address.
struct Address {
    address: Ipv4Addr,
    tcp: Ports,
    udp: Ports,
    /// Identifiers of echo requests.
    icmp: Ports,
}

impl Address {
    fn ports(&self, protocol: u8) -> Result<&Ports, Portless> {
        match protocol {
            TCP => Ok(&self.tcp),
            UDP => Ok(&self.udp),
            ICMP => Ok(&self.icmp),
            _ => Err(Portless),
        }
    }
}

/// The outside addresses and their ports.
pub(crate) struct Pool {
    addresses: Vec<Arc<Address>>,
    pooling: Pooling,
    /// The ports of each address.
    ports: RangeInclusive<u16>,
    /// The same, in blocks for shards. `None` if they are too few.
    blocks: Option<PortBlocks>,
    identifiers: Option<PortBlocks>,
    /// Where the search for a free port begins, which nobody can guess (RFC 6056).
    random: RandomState,
    turn: AtomicU64,
}

/// A port of an outside address. Dropping it frees the port.
pub(crate) struct Lease {
    address: Arc<Address>,
    protocol: u8,
    port: u16,
}

impl Lease {
    pub(crate) fn endpoint(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address.address, self.port)
    }

    pub(crate) const fn protocol(&self) -> u8 {
        self.protocol
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Ok(ports) = self.address.ports(self.protocol) {
            ports.free(self.port);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({} {})", self.protocol, self.endpoint())
    }
}

impl Pool {
    /// The pool of this configuration. Addresses that were in the pool `before` keep their leases.
    pub(crate) fn new(nat: &Nat, before: Option<&Self>) -> Self {
        let forwards: HashSet<_> =
            nat.forward.iter().map(|forward| (forward.protocol.0, forward.outside)).collect();
        let known = |address| {
            let mut addresses = before.into_iter().flat_map(|pool| &pool.addresses);
            addresses.find(|known| known.address == address).cloned()
        };
        let make =
            |address| Arc::new(Address { address, tcp: Ports::new(), udp: Ports::new(), icmp: Ports::new() });
        let addresses = nat.addresses().into_iter().map(|address| {
            let known = known(address).unwrap_or_else(|| make(address));
            for (protocol, ports) in [(TCP, &known.tcp), (UDP, &known.udp)] {
                let is_forward = |port| forwards.contains(&(protocol, SocketAddrV4::new(address, port)));
                ports.reserve(|port| !nat.ports.contains(port) || is_forward(port));
            }
            // Zero means that there is no identifier.
            known.icmp.reserve(|identifier| identifier == 0);
            known
        });
        Self {
            addresses: addresses.collect(),
            pooling: nat.pooling,
            blocks: PortBlocks::new(nat.ports.ports()),
            identifiers: PortBlocks::new(IDENTIFIERS),
            ports: nat.ports.ports(),
            random: RandomState::new(),
            turn: AtomicU64::new(0),
        }
    }

    fn find(&self, address: Ipv4Addr) -> Option<&Address> {
        // The configuration sorts the addresses.
        let index = self.addresses.binary_search_by_key(&address, |address| address.address).ok()?;
        Some(&self.addresses[index])
    }

    pub(crate) fn contains(&self, address: Ipv4Addr) -> bool {
        self.find(address).is_some()
    }

    /// Whether a session may have this endpoint.
    pub(crate) fn allows(&self, protocol: u8, endpoint: SocketAddrV4) -> bool {
        let ports = self.find(*endpoint.ip()).map(|address| address.ports(protocol));
        ports.is_some_and(|ports| ports.map_or(true, |ports| ports.is_open(endpoint.port())))
    }

    /// The first address in line for this inside address. It is always the same one (RFC 4787, REQ-2).
    fn index(&self, inside: Ipv4Addr) -> usize {
        // Neighbours get different addresses, whatever the pool's size.
        let spread = u64::from(inside.to_bits()).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        spread as usize % self.addresses.len()
    }

    /// The outside address of a protocol without ports.
    pub(crate) fn address(&self, inside: Ipv4Addr) -> Ipv4Addr {
        self.addresses[self.index(inside)].address
    }

    /// Takes a port of this share for an inside endpoint. `None` if none is free.
    pub(crate) fn lease(
        &self,
        share: Share<'_>,
        protocol: u8,
        inside: SocketAddrV4,
    ) -> Result<Option<Lease>, Portless> {
        let random = self.random.hash_one(self.turn.fetch_add(1, Ordering::Relaxed));
        let first = self.index(*inside.ip());
        let tries = match self.pooling {
            Pooling::Paired => 1,
            Pooling::Arbitrary => self.addresses.len(),
        };
        for step in 0..tries {
            let address = &self.addresses[(first + step) % self.addresses.len()];
            let ports = address.ports(protocol)?;
            let (all, blocks) = match protocol {
                ICMP => (IDENTIFIERS, &self.identifiers),
                _ => (self.ports.clone(), &self.blocks),
            };
            let mut ranges = share.ranges(all, blocks.as_ref());
            if let Some(port) = ranges.find_map(|range| ports.take(range, random, inside.port())) {
                return Ok(Some(Lease { address: Arc::clone(address), protocol, port }));
            }
        }
        Ok(None)
    }

    /// Takes this port. `None` if it is not in the pool, or somebody has it.
    pub(crate) fn adopt(&self, protocol: u8, outside: SocketAddrV4) -> Option<Lease> {
        let address = self.addresses.iter().find(|address| address.address == *outside.ip())?;
        let (port, ports) = (outside.port(), address.ports(protocol).ok()?);
        let is_ours = ports.is_open(port) && ports.take_bit(usize::from(port) / 64, u32::from(port) % 64);
        is_ours.then(|| Lease { address: Arc::clone(address), protocol, port })
    }

    /// Ports in use, of all addresses and protocols.
    pub(crate) fn used(&self) -> usize {
        let used = |address: &Arc<Address>| address.tcp.used() + address.udp.used() + address.icmp.used();
        self.addresses.iter().map(used).sum()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.addresses.iter().map(|address| address.address);
        f.debug_list().entries(addresses).finish()
    }
}
