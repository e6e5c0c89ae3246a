use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::Deserialize;

/// A text that is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no range")]
pub struct RangeError(String);

/// IPv4 addresses: `203.0.113.1`, `203.0.113.1-203.0.113.6` or `203.0.113.0/29`. A network is all of its
/// addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AddressRange {
    first: u32,
    last: u32,
}

impl AddressRange {
    /// The number of addresses.
    pub const fn size(&self) -> u64 {
        (self.last - self.first) as u64 + 1
    }

    /// The addresses in order.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        (self.first..=self.last).map(Ipv4Addr::from_bits)
    }
}

impl FromStr for AddressRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let error = || RangeError(text.to_owned());
        let address = |text: &str| text.trim().parse::<Ipv4Addr>().map(Ipv4Addr::to_bits).map_err(|_| error());
        let (first, last) = if let Ok(net) = text.parse::<Ipv4Net>() {
            (net.network().to_bits(), net.broadcast().to_bits())
        } else if let Some((first, last)) = text.split_once('-') {
            (address(first)?, address(last)?)
        } else {
            (address(text)?, address(text)?)
        };
        if first <= last { Ok(Self { first, last }) } else { Err(error()) }
    }
}

/// Ports: `1024-65535` or `80`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PortText")]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// A range of ports as TOML has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum PortText {
    One(u16),
    Text(String),
}

impl PortRange {
    /// From `first` to `last`, both included. `None` if `first` is more than `last`.
    pub const fn new(first: u16, last: u16) -> Option<Self> {
        if first <= last { Some(Self { first, last }) } else { None }
    }

    /// Whether this port is one of them.
    pub const fn contains(&self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    /// The ports.
    pub const fn ports(&self) -> RangeInclusive<u16> {
        self.first..=self.last
    }
}

impl FromStr for PortRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let error = || RangeError(text.to_owned());
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| error());
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Self::new(port(first)?, port(last)?).ok_or_else(error)
    }
}

impl TryFrom<PortText> for PortRange {
    type Error = RangeError;

    fn try_from(text: PortText) -> Result<Self, RangeError> {
        match text {
            PortText::One(port) => Ok(Self { first: port, last: port }),
            PortText::Text(text) => text.parse(),
        }
    }
}

impl TryFrom<String> for AddressRange {
    type Error = RangeError;

    fn try_from(text: String) -> Result<Self, RangeError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let size = |text: &str| text.parse::<AddressRange>().map(|range| range.size());
        assert_eq!(size("203.0.113.1"), Ok(1));
        assert_eq!(size("203.0.113.1-203.0.113.6"), Ok(6));
        assert_eq!(size("203.0.113.8/29"), Ok(8));
        assert_eq!(size("0.0.0.0/0"), Ok(1 << 32));
        for wrong in ["", "a", "1.2.3.4-", "1.2.3.4-1.2.3.3", "1.2.3.4/33"] {
            assert_eq!(size(wrong), Err(RangeError(wrong.to_owned())));
        }
        assert_eq!("80".parse(), Ok(PortRange { first: 80, last: 80 }));
        assert_eq!("1024-65535".parse::<PortRange>().map(|range| range.ports()), Ok(1024..=65535));
        for wrong in ["", "x", "2-1", "1-70000"] {
            assert_eq!(wrong.parse::<PortRange>(), Err(RangeError(wrong.to_owned())));
        }
    }
}
