//! Sums over flows that have something in common.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use clap::ValueEnum;

use crate::names::protocol_name;
use crate::record::Oriented;

/// Groups at most. Flows of further groups are counted together.
const GROUPS: usize = 1 << 20;

/// What flows of one group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Field {
    /// The source address.
    Src,
    /// The destination address.
    Dst,
    /// The source port.
    Sport,
    /// The destination port.
    Dport,
    /// The protocol.
    Proto,
    /// The tenant.
    Tenant,
}

/// The values of the fields that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    src: Option<IpAddr>,
    dst: Option<IpAddr>,
    sport: Option<u16>,
    dport: Option<u16>,
    proto: Option<u8>,
    tenant: Option<u32>,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.src.map(|ip| format!("src {ip}")));
        parts.extend(self.dst.map(|ip| format!("dst {ip}")));
        parts.extend(self.proto.map(protocol_name));
        parts.extend(self.sport.map(|port| format!("sport {port}")));
        parts.extend(self.dport.map(|port| format!("dport {port}")));
        parts.extend(self.tenant.map(|tenant| format!("tenant {tenant}")));
        f.write_str(if parts.is_empty() { "others".to_owned() } else { parts.join(" ") }.as_str())
    }
}

/// The sums of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Records.
    pub flows: u64,
    /// Packets of both directions.
    pub packets: u64,
    /// Bytes of IP packets of both directions.
    pub bytes: u64,
}

/// Sums by group.
#[derive(Clone, Debug, Default)]
pub struct Aggregate {
    fields: Vec<Field>,
    groups: HashMap<Group, Sums>,
}

impl Aggregate {
    /// Groups by these fields. Without fields there is nothing to sum.
    pub fn new(fields: &[Field]) -> Self {
        Self { fields: fields.to_vec(), groups: HashMap::new() }
    }

    /// Adds a record.
    pub fn add(&mut self, flow: &Oriented<'_>) {
        if self.fields.is_empty() {
            return;
        }
        let mut group = self.group(flow);
        if self.groups.len() >= GROUPS && !self.groups.contains_key(&group) {
            group = Group::default();
        }
        let sums = self.groups.entry(group).or_default();
        sums.flows += 1;
        for tally in [flow.forward, flow.reverse] {
            sums.packets += tally.packets;
            sums.bytes = sums.bytes.saturating_add(tally.ip_bytes);
        }
    }

    fn group(&self, flow: &Oriented<'_>) -> Group {
        let (mut group, key) = (Group::default(), &flow.key);
        for field in &self.fields {
            match field {
                Field::Src => group.src = Some(key.source().ip()),
                Field::Dst => group.dst = Some(key.destination().ip()),
                Field::Sport => group.sport = Some(key.source().port()),
                Field::Dport => group.dport = Some(key.destination().port()),
                Field::Proto => group.proto = Some(key.protocol()),
                Field::Tenant => group.tenant = Some(key.tenant().get()),
            }
        }
        group
    }

    /// The `limit` largest groups by what `size` says, largest first.
    pub fn largest(&self, limit: usize, size: impl Fn(&Sums) -> u64) -> Vec<(&Group, &Sums)> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by(|(a, a_sums), (b, b_sums)| size(b_sums).cmp(&size(a_sums)).then_with(|| a.cmp(b)));
        groups.truncate(limit);
        groups
    }
}
