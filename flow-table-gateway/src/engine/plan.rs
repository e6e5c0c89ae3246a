use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

use flow_table::{FlowKey, Timestamp};

use crate::conn::Parts;
use crate::engine::gateway::Gateway;
use crate::flows::Flows;
use crate::nat::{Mapping, MappingsFull, Share};
use crate::packet::{Body, Layout};
use crate::policy::{NatPolicy, Policy};
use crate::side::Side;
use crate::stats::Refusal;

/// A flow that may begin: where its packets go, and what it holds.
pub(super) struct Plan {
    pub(super) reply: FlowKey,
    pub(super) parts: Parts,
}

/// Where the first packet of a flow goes.
struct Target {
    host: SocketAddr,
    side: Side,
    /// It is open to the outside without a rule.
    is_open: bool,
    mapping: Option<Mapping>,
}

impl<T: Flows> Gateway<T> {
    /// Decides about a packet that belongs to no flow.
    pub(super) fn plan(
        &self,
        policy: &Policy,
        share: Share<'_>,
        layout: &Layout,
        side: Side,
        now: Timestamp,
    ) -> Result<Plan, Refusal> {
        let can_begin = match layout.body {
            Body::Tcp(segment) => segment.opens(),
            Body::Udp | Body::EchoRequest | Body::Other => true,
            Body::EchoReply | Body::Error(_) | Body::OtherIcmp | Body::LaterFragment => false,
        };
        if !can_begin {
            return Err(Refusal::NoFlow);
        }
        let (source, destination, protocol) = (layout.source, layout.destination, layout.protocol);
        if !policy.is_plausible(side, source.ip(), destination.ip()) {
            return Err(Refusal::Spoofed);
        }
        let target = self.target(policy, layout, side, now)?;
        if !policy.accepts(side, protocol, (source, target.host), target.is_open) {
            return Err(if side == Side::Inside { Refusal::Denied } else { Refusal::Unsolicited });
        }
        let limit = policy.limits.flows_per_source;
        let place = self.resources.sources.take(source.ip(), limit, now).map_err(|_| Refusal::SourceLimit)?;

        let mut parts = Parts { target: target.mapping, source: Some(place), binding: None };
        let sender = match (side, source, &policy.nat) {
            (Side::Outside, ..) => source,
            (Side::Inside, SocketAddr::V4(inside), Some(nat)) => {
                let from = (&nat.pool, share);
                let bound = self.resources.mappings.bind(from, nat.shares_ports, protocol, inside, now);
                let binding = bound.map_err(|full| match full {
                    MappingsFull::Table => Refusal::TableFull,
                    MappingsFull::Ports => Refusal::PortsExhausted,
                })?;
                let outside = binding.endpoint();
                parts.binding = Some(binding);
                with_port_kept(layout, outside)
            }
            (Side::Inside, SocketAddr::V4(_), None) => source,
            (Side::Inside, SocketAddr::V6(inside), _) => {
                let outside = policy.prefixes.to_outside(*inside.ip()).ok_or(Refusal::Spoofed)?;
                SocketAddrV6::new(outside, inside.port(), 0, 0).into()
            }
        };
        let reply = FlowKey::new(target.host, sender, protocol).map_err(|_| Refusal::Malformed)?;
        Ok(Plan { reply: target.side.key(reply), parts })
    }

    fn target(&self, policy: &Policy, layout: &Layout, side: Side, now: Timestamp) -> Result<Target, Refusal> {
        let host = layout.destination;
        match (side, host, &policy.nat) {
            (_, SocketAddr::V4(outside), Some(nat)) if nat.pool.contains(*outside.ip()) => {
                self.behind(nat, layout.protocol, outside, side, now)
            }
            // With NAT, nobody outside knows the addresses of the inside.
            (Side::Outside, SocketAddr::V4(_), Some(_)) => Err(Refusal::Unsolicited),
            (Side::Inside, ..) => {
                // A host that is on the inside is not reached through the gateway.
                if policy.is_inside(host.ip()) {
                    return Err(Refusal::Spoofed);
                }
                Ok(Target { host, side: Side::Outside, is_open: false, mapping: None })
            }
            (Side::Outside, SocketAddr::V4(_), None) => inside_target(policy, host),
            (Side::Outside, SocketAddr::V6(outside), _) => {
                let inside = policy.prefixes.to_inside(*outside.ip()).ok_or(Refusal::Spoofed)?;
                inside_target(policy, SocketAddrV6::new(inside, outside.port(), 0, 0).into())
            }
        }
    }

    /// The host behind an address of the pool, for packets from the outside and for those from the inside that
    /// come back (hairpinning, RFC 4787, REQ-9).
    fn behind(
        &self,
        nat: &NatPolicy,
        protocol: u8,
        outside: SocketAddrV4,
        side: Side,
        now: Timestamp,
    ) -> Result<Target, Refusal> {
        if side == Side::Inside && !nat.hairpinning {
            return Err(Refusal::Denied);
        }
        let target = |host: SocketAddrV4, mapping| {
            let is_open = side == Side::Outside;
            Target { host: host.into(), side: Side::Inside, is_open, mapping }
        };
        if let Some(host) = nat.forward(protocol, outside) {
            return Ok(target(host, None));
        }
        let mapping = if nat.is_open { self.resources.mappings.of_outside(protocol, outside, now) } else { None };
        let (host, mapping) = mapping.ok_or(Refusal::Unsolicited)?;
        Ok(target(host, Some(mapping)))
    }
}

fn inside_target(policy: &Policy, host: SocketAddr) -> Result<Target, Refusal> {
    if !policy.is_inside(host.ip()) {
        return Err(Refusal::Spoofed);
    }
    Ok(Target { host, side: Side::Inside, is_open: false, mapping: None })
}

/// A protocol without ports keeps its zeros.
fn with_port_kept(layout: &Layout, outside: SocketAddrV4) -> SocketAddr {
    let port = if matches!(layout.body, Body::Other) { layout.source.port() } else { outside.port() };
    SocketAddr::new(IpAddr::V4(*outside.ip()), port)
}
