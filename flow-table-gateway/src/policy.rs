use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use flow_table::FlowKey;
use ipnet::IpNet;

use crate::config::{Action, Config, Filtering, Limits, Mapping, Nat, Rule, Rules, Timeouts};
use crate::nat::{Pool, Prefixes};
use crate::side::Side;

/// A configuration in the form in which packets are judged by it.
#[derive(Debug)]
pub(crate) struct Policy {
    inside: Vec<IpNet>,
    pub(crate) pass_through: bool,
    pub(crate) nat: Option<NatPolicy>,
    pub(crate) prefixes: Prefixes,
    rules: Rules,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
}

/// How IPv4 is translated.
#[derive(Debug)]
pub(crate) struct NatPolicy {
    pub(crate) pool: Pool,
    pub(crate) shares_ports: bool,
    pub(crate) is_open: bool,
    pub(crate) hairpinning: bool,
    forwards: HashMap<(u8, SocketAddrV4), SocketAddrV4>,
    /// The source of ICMP errors.
    pub(crate) own_address: Ipv4Addr,
}

impl NatPolicy {
    fn new(nat: &Nat, before: Option<&Self>) -> Self {
        let shares_ports = nat.mapping == Mapping::EndpointIndependent;
        let forwards = nat.forward.iter().map(|forward| ((forward.protocol.0, forward.outside), forward.to));
        Self {
            pool: Pool::new(nat, before.map(|before| &before.pool)),
            shares_ports,
            is_open: shares_ports && nat.filtering == Filtering::EndpointIndependent,
            hairpinning: nat.hairpinning,
            forwards: forwards.collect(),
            own_address: nat.addresses()[0],
        }
    }

    /// The host to which a port of the outside is forwarded.
    pub(crate) fn forward(&self, protocol: u8, outside: SocketAddrV4) -> Option<SocketAddrV4> {
        self.forwards.get(&(protocol, outside)).copied()
    }
}

impl Policy {
    /// The policy of this configuration. Ports that are leased under the policy `before` stay leased.
    pub(crate) fn new(config: &Config, before: Option<&Self>) -> Self {
        let nat_before = before.and_then(|before| before.nat.as_ref());
        Self {
            inside: config.inside.clone(),
            pass_through: config.pass_through,
            nat: config.nat.as_ref().map(|nat| NatPolicy::new(nat, nat_before)),
            prefixes: Prefixes::new(&config.nat66),
            rules: config.firewall.clone(),
            limits: config.limits,
            timeouts: config.timeouts,
        }
    }

    pub(crate) fn is_inside(&self, address: IpAddr) -> bool {
        self.inside.iter().any(|net| net.contains(&address))
    }

    /// Whether a packet from `side` may have these addresses.
    pub(crate) fn is_plausible(&self, side: Side, source: IpAddr, destination: IpAddr) -> bool {
        let is_ours = self.is_inside(source);
        let is_own_side = if side == Side::Inside { is_ours } else { !is_ours };
        is_own_side && is_forwardable(source) && is_forwardable(destination)
    }

    /// Whether the firewall lets a flow begin. `is_open` says that it may without a rule.
    pub(crate) fn accepts(&self, from: Side, protocol: u8, ends: (SocketAddr, SocketAddr), is_open: bool) -> bool {
        let rule = self.rules.rules.iter().find(|rule| matches(rule, from, protocol, ends));
        let action = match (rule, from) {
            (Some(rule), _) => rule.action,
            (None, _) if is_open => Action::Accept,
            (None, Side::Inside) => self.rules.from_inside,
            (None, Side::Outside) => self.rules.from_outside,
        };
        action == Action::Accept
    }

    /// Whether a flow with these keys could begin under this policy. `has_target` says that its other end was
    /// reached by a mapping.
    pub(crate) fn still_accepts(&self, forward: &FlowKey, reply: &FlowKey, has_target: bool) -> bool {
        let (from, protocol) = (Side::of(forward), forward.protocol());
        let ends = (forward.source(), reply.source());
        let (stays, is_open) = match (&self.nat, forward.source(), forward.destination(), reply.destination()) {
            (Some(nat), SocketAddr::V4(source), SocketAddr::V4(destination), SocketAddr::V4(translated)) => {
                let is_forward = nat.forward(protocol, destination).map(SocketAddr::from) == Some(reply.source());
                let is_open = is_forward || has_target && nat.is_open;
                let stays = match (from, Side::of(reply)) {
                    (Side::Inside, Side::Outside) => nat.pool.allows(protocol, translated),
                    (Side::Inside, Side::Inside) => {
                        nat.hairpinning && is_open && nat.pool.allows(protocol, translated)
                    }
                    (Side::Outside, _) => is_open && source == translated,
                };
                (stays, is_open && from == Side::Outside)
            }
            _ => (self.prefix_stays(from, forward, reply), false),
        };
        let is_plausible = self.is_plausible(from, forward.source().ip(), forward.destination().ip());
        stays && is_plausible && self.accepts(from, protocol, ends, is_open)
    }

    /// Whether a flow without a translation of ports has the addresses that it would get now.
    fn prefix_stays(&self, from: Side, forward: &FlowKey, reply: &FlowKey) -> bool {
        let (inside, outside) = match from {
            Side::Inside => (forward.source().ip(), reply.destination().ip()),
            Side::Outside => (reply.source().ip(), forward.destination().ip()),
        };
        match inside {
            IpAddr::V4(_) => inside == outside,
            IpAddr::V6(inside) => self.prefixes.to_outside(inside).map(IpAddr::from) == Some(outside),
        }
    }
}

fn matches(rule: &Rule, from: Side, protocol: u8, (source, destination): (SocketAddr, SocketAddr)) -> bool {
    rule.from == from
        && rule.protocol.is_none_or(|wanted| wanted.0 == protocol)
        && rule.source.is_none_or(|net| net.contains(&source.ip()))
        && rule.destination.is_none_or(|net| net.contains(&destination.ip()))
        && rule.port.is_none_or(|range| range.contains(destination.port()))
}

/// Whether a router may forward packets with this source or destination.
fn is_forwardable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let class_e = address.octets()[0] >= 240;
            !(address.is_multicast() || address.is_loopback() || address.is_link_local() || class_e)
                && address.octets()[0] != 0
        }
        IpAddr::V6(address) => {
            !(address.is_multicast()
                || address.is_loopback()
                || address.is_unspecified()
                || address.is_unicast_link_local()
                || address.to_ipv4_mapped().is_some())
        }
    }
}
