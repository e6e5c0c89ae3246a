//! Names for people.

use etherparse::IpNumber;
use flow_table::FlowKey;

/// The name of an IP protocol in flow keys and in the registry of protocol numbers.
pub(crate) fn protocol_name(number: u8) -> String {
    match (IpNumber(number), IpNumber(number).keyword_str()) {
        (IpNumber::IPV6_ICMP, _) => "icmpv6".to_owned(),
        (_, Some(name)) => name.to_lowercase(),
        (_, None) => format!("protocol {number}"),
    }
}

/// A key with the name of its protocol, and without ports where there are none.
pub(crate) fn key_name(key: &FlowKey) -> String {
    let (source, destination) = (key.source(), key.destination());
    let tenant = match key.tenant().get() {
        0 => String::new(),
        tenant => format!(" @{tenant}"),
    };
    let protocol = protocol_name(key.protocol());
    if source.port() == 0 && destination.port() == 0 {
        format!("{protocol} {} > {}{tenant}", source.ip(), destination.ip())
    } else {
        format!("{protocol} {source} > {destination}{tenant}")
    }
}
