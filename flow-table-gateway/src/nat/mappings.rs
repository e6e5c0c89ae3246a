use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use flow_table::{Admission, Budget, Flow, FlowKey, FlowTable, Handle, NewFlow, Table, Timestamp};

use crate::nat::pool::{Lease, Pool, Portless};
use crate::side::Side;

/// A port that belongs to one inside endpoint, whatever its sessions are.
pub(crate) type Mapping = Handle<FlowKey, Lease>;

/// Where a session has its outside port from.
#[derive(Debug)]
pub(crate) enum Binding {
    /// The protocol has no ports.
    Portless(#[allow(dead_code, reason = "shown in debug output")] Ipv4Addr),
    /// It shares the port with other sessions of the same inside endpoint.
    Shared(Mapping),
    /// It has a port of its own.
    Own(Lease),
}

impl Binding {
    fn endpoint(&self) -> SocketAddrV4 {
        match self {
            Self::Portless(address) => SocketAddrV4::new(*address, 0),
            Self::Shared(mapping) => mapping.value().endpoint(),
            Self::Own(lease) => lease.endpoint(),
        }
    }
}

/// There is no room for another mapping, or no port is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MappingsFull {
    Table,
    Ports,
}

/// Mappings by their inside and by their outside endpoint.
///
/// They are flows with two keys in a table of their own, and each session holds a handle to its mapping. The table
/// lets go of a mapping after a short time, but look-ups find it while a session holds it
/// ([`OnExpiry::KeepWhileReferenced`](flow_table::OnExpiry)). So a mapping ends with its last session, and needs
/// no timer and no count of its own.
pub(crate) struct Mappings(FlowTable<FlowKey, Lease>);

/// How long a mapping without sessions lives.
const GRACE: Duration = Duration::from_secs(1);

fn key(side: Side, protocol: u8, endpoint: SocketAddrV4) -> FlowKey {
    side.key(FlowKey::v4(endpoint, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), protocol))
}

impl Mappings {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(FlowTable::new(capacity))
    }

    /// Finds or makes the mapping of an inside endpoint.
    fn of_inside(
        &self,
        pool: &Pool,
        protocol: u8,
        inside: SocketAddrV4,
        now: Timestamp,
    ) -> Result<Binding, MappingsFull> {
        let forward = key(Side::Inside, protocol, inside);
        if let Some(mapping) = self.0.lookup(&forward, now) {
            // After a reload the port may be one that the pool does not have any more.
            if pool.allows(protocol, mapping.value().endpoint()) {
                return Ok(Binding::Shared(mapping));
            }
            mapping.cancel();
        }
        let lease = match pool.lease(protocol, inside) {
            Ok(lease) => lease.ok_or(MappingsFull::Ports)?,
            Err(Portless) => return Ok(Binding::Portless(pool.address(*inside.ip()))),
        };
        let reply = key(Side::Outside, protocol, lease.endpoint());
        let mapping = NewFlow::new(forward, lease).reply(reply).timeout(GRACE);
        match self.0.insert_if_absent(mapping, now) {
            // If another worker was faster with the same endpoint, its mapping serves this session, too.
            Ok(admission @ (Admission::Inserted(_) | Admission::Existing { .. })) => {
                Ok(Binding::Shared(admission.into_flow()))
            }
            Err(_) => Err(MappingsFull::Table),
        }
    }

    /// The outside endpoint for a new session of this inside endpoint, and what holds it.
    pub(crate) fn bind(
        &self,
        pool: &Pool,
        shares: bool,
        protocol: u8,
        inside: SocketAddrV4,
        now: Timestamp,
    ) -> Result<(SocketAddrV4, Binding), MappingsFull> {
        let binding = if shares {
            self.of_inside(pool, protocol, inside, now)?
        } else {
            match pool.lease(protocol, inside) {
                Ok(lease) => Binding::Own(lease.ok_or(MappingsFull::Ports)?),
                Err(Portless) => Binding::Portless(pool.address(*inside.ip())),
            }
        };
        Ok((binding.endpoint(), binding))
    }

    /// The inside endpoint that has this outside endpoint, and its mapping.
    pub(crate) fn of_outside(
        &self,
        protocol: u8,
        outside: SocketAddrV4,
        now: Timestamp,
    ) -> Option<(SocketAddrV4, Mapping)> {
        let mapping = self.0.lookup(&key(Side::Outside, protocol, outside), now)?;
        match mapping.key().source() {
            std::net::SocketAddr::V4(inside) => Some((inside, mapping)),
            std::net::SocketAddr::V6(_) => None,
        }
    }

    pub(crate) fn reap(&self, now: Timestamp, budget: Budget) {
        self.0.reap(now, budget);
    }

    pub(crate) fn memory(&self) -> usize {
        self.0.memory()
    }

    pub(crate) fn set_capacity(&self, capacity: usize) {
        self.0.set_capacity(capacity);
    }
}
