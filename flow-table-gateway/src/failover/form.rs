use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use flow_table::{Flow, Timestamp};
use serde::{Deserialize, Serialize};

use crate::conn::{Conn, Parts, Track};
use crate::nat::{Binding, Mapping, Mappings};
use crate::resources::Resources;

/// A flow's value on its way to a standby.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ConnForm {
    bits: u32,
    binding: Option<BindingForm>,
    target: Option<PortForm>,
    source: Option<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum BindingForm {
    Portless(Ipv4Addr),
    Port(PortForm),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PortForm {
    protocol: u8,
    inside: Option<SocketAddrV4>,
    outside: SocketAddrV4,
}

impl PortForm {
    fn of(mapping: &Mapping) -> Self {
        let lease = mapping.value();
        Self { protocol: lease.protocol(), inside: Mappings::inside(mapping), outside: lease.endpoint() }
    }

    fn adopt(&self, resources: &Resources, now: Timestamp) -> Option<Mapping> {
        let policy = resources.policy.load();
        let pool = &policy.nat.as_ref()?.pool;
        resources.mappings.adopt(pool, self.protocol, self.inside, self.outside, now)
    }
}

impl ConnForm {
    pub(super) fn of(conn: &Conn) -> Self {
        let binding = conn.parts.binding.as_ref().map(|binding| match binding {
            Binding::Portless(address) => BindingForm::Portless(*address),
            Binding::Port(mapping) => BindingForm::Port(PortForm::of(mapping)),
        });
        Self {
            bits: conn.track.to_bits(),
            binding,
            target: conn.parts.target.as_ref().map(PortForm::of),
            source: conn.parts.source.as_ref().map(|source| source.address()),
        }
    }

    /// The value at this gateway. `None` if a port or place that it had is not to be had here.
    pub(super) fn adopt(&self, resources: &Resources, now: Timestamp) -> Option<Conn> {
        let binding = match &self.binding {
            None => None,
            Some(BindingForm::Portless(address)) => Some(Binding::Portless(*address)),
            Some(BindingForm::Port(port)) => Some(Binding::Port(port.adopt(resources, now)?)),
        };
        let target = match &self.target {
            None => None,
            Some(port) => Some(port.adopt(resources, now)?),
        };
        let source = match self.source {
            None => None,
            // The flow began within the limit, elsewhere.
            Some(address) => Some(resources.sources.take(address, u32::MAX, now).ok()?),
        };
        Some(Conn::new(Track::from_bits(self.bits), now, Parts { binding, target, source }))
    }
}
