use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use flow_table::{Admission, Budget, Flow, FlowKey, FlowTable, Handle, NewFlow, Table, Timestamp};

use crate::nat::pool::{Lease, Pool, Portless};
use crate::nat::share::Share;
use crate::side::Side;

/// An outside port that is held: by all sessions of one inside endpoint, or by one session.
pub(crate) type Mapping = Handle<FlowKey, Lease>;

/// What gives a session its outside end.
#[derive(Debug)]
pub(crate) enum Binding {
    /// The protocol has no ports.
    Portless(Ipv4Addr),
    /// A port.
    Port(Mapping),
}

impl Binding {
    pub(crate) fn endpoint(&self) -> SocketAddrV4 {
        match self {
            Self::Portless(address) => SocketAddrV4::new(*address, 0),
            Self::Port(mapping) => mapping.value().endpoint(),
        }
    }
}

/// There is no room for another mapping, or no port is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MappingsFull {
    Table,
    Ports,
}

/// Mappings by their inside and by their outside endpoint. The mapping of a single session has the outside
/// endpoint only.
///
/// They are flows in a table of their own, and each session holds a handle to its mapping. The table lets go of a
/// mapping after a short time, but look-ups find it while a session holds it
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

    /// What gives a new session of this inside endpoint its outside end. `shares` says that all sessions of the
    /// endpoint have the same. A new port is one of `share`.
    pub(crate) fn bind(
        &self,
        (pool, share): (&Pool, Share<'_>),
        shares: bool,
        protocol: u8,
        inside: SocketAddrV4,
        now: Timestamp,
    ) -> Result<Binding, MappingsFull> {
        let shared_key = shares.then(|| key(Side::Inside, protocol, inside));
        if let Some(mapping) = shared_key.and_then(|key| self.0.lookup(&key, now)) {
            // After a reload the port may be one that the pool does not have any more.
            if pool.allows(protocol, mapping.value().endpoint()) {
                return Ok(Binding::Port(mapping));
            }
            mapping.cancel();
        }
        match pool.lease(share, protocol, inside) {
            Ok(Some(lease)) => self.hold(shared_key, lease, now).map(Binding::Port),
            Ok(None) => Err(MappingsFull::Ports),
            Err(Portless) => Ok(Binding::Portless(pool.address(*inside.ip()))),
        }
    }

    fn hold(&self, inside: Option<FlowKey>, lease: Lease, now: Timestamp) -> Result<Mapping, MappingsFull> {
        let outside = key(Side::Outside, lease.protocol(), lease.endpoint());
        let mapping = match inside {
            Some(inside) => NewFlow::new(inside, lease).reply(outside),
            None => NewFlow::new(outside, lease),
        };
        // If another worker was faster with the same endpoint, its mapping serves this session, too.
        let held = self.0.insert_if_absent(mapping.timeout(GRACE), now);
        held.map(Admission::into_flow).map_err(|_| MappingsFull::Table)
    }

    /// Finds or makes the mapping that another gateway has made. `None` if the port is not to be had.
    pub(crate) fn adopt(
        &self,
        pool: &Pool,
        protocol: u8,
        inside: Option<SocketAddrV4>,
        outside: SocketAddrV4,
        now: Timestamp,
    ) -> Option<Mapping> {
        let inside = inside.map(|inside| key(Side::Inside, protocol, inside));
        let outside_key = key(Side::Outside, protocol, outside);
        if let Some(mapping) = self.0.lookup(&outside_key, now) {
            return (*mapping.key() == inside.unwrap_or(outside_key)).then_some(mapping);
        }
        let mapping = self.hold(inside, pool.adopt(protocol, outside)?, now).ok()?;
        // Otherwise the inside endpoint has another port here.
        (mapping.value().endpoint() == outside).then_some(mapping)
    }

    /// The inside endpoint that has this outside endpoint, and its mapping.
    pub(crate) fn of_outside(
        &self,
        protocol: u8,
        outside: SocketAddrV4,
        now: Timestamp,
    ) -> Option<(SocketAddrV4, Mapping)> {
        let mapping = self.0.lookup(&key(Side::Outside, protocol, outside), now)?;
        Some((Self::inside(&mapping)?, mapping))
    }

    /// The inside endpoint of a mapping: `None` if it is that of a single session.
    pub(crate) fn inside(mapping: &Mapping) -> Option<SocketAddrV4> {
        match (Side::of(mapping.key()), mapping.key().source()) {
            (Side::Inside, SocketAddr::V4(inside)) => Some(inside),
            _ => None,
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
