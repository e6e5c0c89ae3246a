use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use super::addresses::PortRange;
use crate::side::Side;

/// The rules of the firewall. They decide about the first packet of a flow. All others follow it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// What happens to flows from the inside that no rule names.
    pub from_inside: Action,
    /// What happens to flows from the outside that no rule names. Forwarded ports and, if filtering is
    /// endpoint-independent, ports in use are open without a rule.
    pub from_outside: Action,
    /// The rules. The first that matches decides.
    pub rules: Vec<Rule>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { from_inside: Action::Accept, from_outside: Action::Drop, rules: Vec::new() }
    }
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The flow may begin.
    Accept,
    /// The packet is dropped.
    Drop,
}

/// A rule. What it leaves out matches everything.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The side from which the flow begins.
    pub from: Side,
    /// What the rule does.
    pub action: Action,
    /// The protocol.
    pub protocol: Option<Protocol>,
    /// Where the flow comes from.
    pub source: Option<IpNet>,
    /// Where it goes to: the host on its own side of the gateway, after the translation.
    pub destination: Option<IpNet>,
    /// The destination's port.
    pub port: Option<PortRange>,
}

/// An IANA protocol number, or one of the names `icmp`, `tcp`, `udp` and `icmpv6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protocol(pub u8);

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Text {
            Number(u8),
            Name(String),
        }
        match Text::deserialize(deserializer)? {
            Text::Number(number) => Ok(Self(number)),
            Text::Name(name) => match name.as_str() {
                "icmp" => Ok(Self(1)),
                "tcp" => Ok(Self(6)),
                "udp" => Ok(Self(17)),
                "icmpv6" => Ok(Self(58)),
                _ => Err(de::Error::invalid_value(de::Unexpected::Str(&name), &"a protocol's name or number")),
            },
        }
    }
}
