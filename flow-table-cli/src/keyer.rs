//! From frames to keyed packets.

use std::sync::Arc;

use clap::ValueEnum;
use flow_table::Tenant;

use crate::direction::FlowDirection;
use crate::filter::{Filter, Subject};
use crate::fragments::{Followed, Fragments};
use crate::keyed::KeyedPacket;
use crate::packet::{IpPacket, Layers, Skip, Tags, Tunnel};
use crate::protocols::Protocols;
use crate::read::Packet;

/// What tells flows apart besides addresses, ports and protocol. Each fits exactly into the 24 bits of a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantField {
    /// Nothing.
    #[default]
    None,
    /// The two outer VLAN ids: the first one, and the second one times 4,096.
    Vlan,
    /// The outer MPLS label.
    Mpls,
    /// The VNI, GRE key or TEID of the innermost tunnel that is opened: its lower 24 bits.
    Vni,
}

/// Which packets have which keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keying {
    /// Whether both directions are one flow.
    pub direction: FlowDirection,
    /// Which packets count.
    pub protocols: Protocols,
    /// The number of tunnels that are opened within one another.
    pub tunnels: u8,
    /// Whether later fragments belong to the flow of the first one.
    pub fragments: bool,
    /// What else is part of the key.
    pub tenant: TenantField,
}

/// Makes keys. It remembers what fragments need.
pub struct Keyer {
    keying: Keying,
    filter: Option<Arc<Filter>>,
    fragments: Option<Fragments>,
    /// The tunnel of the last packet, because neighbours often share it.
    tunnel: Option<Arc<Tunnel>>,
}

impl Keyer {
    /// Makes keys in this way, of the packets for which the filter holds.
    pub fn new(keying: Keying, filter: Option<Arc<Filter>>) -> Self {
        Self { keying, filter, fragments: keying.fragments.then(Fragments::new), tunnel: None }
    }

    /// Returns the packet with its key, or `None` if it is not selected.
    ///
    /// # Errors
    ///
    /// Returns the reason if the packet belongs to no flow.
    pub fn key(&mut self, packet: &Packet<'_>) -> Result<Option<KeyedPacket>, Skip> {
        let layers = Layers::parse(packet.link, packet.data, packet.wire_len, self.keying.tunnels)?;
        let IpPacket { mut key, mut class, ip_bytes, ttl, tcp_flags, fragment } = layers.packet;
        key = key.with_tenant(tenant(self.keying.tenant, &layers.tags, layers.tunnel.as_ref()));
        if let Some(fragments) = &mut self.fragments {
            let own = Followed { key, class };
            Followed { key, class } = fragments.follow(own, fragment, packet.timestamp);
        }
        if self.keying.protocols == Protocols::L4 && !class.is_l4() {
            return Ok(None);
        }
        let subject = Subject { key: &key, tally: None };
        if self.filter.as_ref().is_some_and(|filter| !filter.matches(&subject)) {
            return Ok(None);
        }
        let reversed = match self.keying.direction {
            FlowDirection::Uni => false,
            FlowDirection::Bidi => {
                let (canonical, direction) = key.canonical();
                key = canonical;
                direction == flow_table::Direction::Reply
            }
        };
        Ok(Some(KeyedPacket {
            key,
            reversed,
            timestamp: packet.timestamp,
            ip_bytes,
            wire_bytes: packet.wire_len.into(),
            tcp_flags,
            ttl,
            tunnel: layers.tunnel.map(|tunnel| self.shared(tunnel)),
        }))
    }

    /// The number of later fragments whose first one had not been seen.
    pub fn unfollowed(&self) -> u64 {
        self.fragments.as_ref().map_or(0, Fragments::unfollowed)
    }

    fn shared(&mut self, tunnel: Tunnel) -> Arc<Tunnel> {
        match &self.tunnel {
            Some(last) if **last == tunnel => Arc::clone(last),
            _ => Arc::clone(self.tunnel.insert(Arc::new(tunnel))),
        }
    }
}

fn tenant(field: TenantField, tags: &Tags, tunnel: Option<&Tunnel>) -> Tenant {
    let id = match field {
        TenantField::None => 0,
        TenantField::Vlan => u32::from(tags.vlans[0]) | u32::from(tags.vlans[1]) << 12,
        TenantField::Mpls => tags.mpls.unwrap_or(0),
        TenantField::Vni => tunnel.and_then(|tunnel| tunnel.id).unwrap_or(0),
    };
    Tenant::new(id & Tenant::MAX.get()).expect("24 bits")
}
