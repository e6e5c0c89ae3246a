//! IPv6 prefix translation that leaves transport checksums valid (RFC 6296).

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use crate::config::Nat66;

/// The translations of prefixes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prefixes(Vec<Prefix>);

#[derive(Clone, Copy, Debug)]
struct Prefix {
    inside: Ipv6Net,
    outside: Ipv6Net,
}

impl Prefixes {
    pub(crate) fn new(config: &[Nat66]) -> Self {
        let prefix = |net: &Nat66| Prefix { inside: net.inside.trunc(), outside: net.outside.trunc() };
        Self(config.iter().map(prefix).collect())
    }

    /// The outside address of an inside one: itself if no prefix matches, `None` if RFC 6296 has none for it.
    pub(crate) fn to_outside(&self, address: Ipv6Addr) -> Option<Ipv6Addr> {
        match self.0.iter().find(|prefix| prefix.inside.contains(&address)) {
            Some(prefix) => translate(address, prefix.inside, prefix.outside),
            None => Some(address),
        }
    }

    /// The inside address of an outside one.
    pub(crate) fn to_inside(&self, address: Ipv6Addr) -> Option<Ipv6Addr> {
        match self.0.iter().find(|prefix| prefix.outside.contains(&address)) {
            Some(prefix) => translate(address, prefix.outside, prefix.inside),
            None => Some(address),
        }
    }
}

/// The sum of all words in one's complement, between 0 and 0xfffe.
fn sum(words: [u16; 8]) -> u32 {
    words.into_iter().map(u32::from).sum::<u32>() % 0xffff
}

/// Replaces the prefix, and one word behind it so that the sum of all words stays the same.
fn translate(address: Ipv6Addr, from: Ipv6Net, to: Ipv6Net) -> Option<Ipv6Addr> {
    let host = address.to_bits() & from.hostmask().to_bits();
    let mut words = Ipv6Addr::from_bits(to.network().to_bits() | host).segments();
    // Section 3.5: the subnet's word if the prefix leaves it free, else a word of the interface.
    let at = if from.prefix_len() <= 48 { 3 } else { (4..8).find(|at| words[*at] != 0xffff)? };
    if words[at] == 0xffff {
        return None;
    }
    let change = 0xffff + sum(from.network().segments()) - sum(to.network().segments());
    words[at] = ((u32::from(words[at]) + change) % 0xffff) as u16;
    Some(words.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 6296, section 2.1 and appendix.
        let prefixes = Prefixes::new(&[Nat66 {
            inside: "fd01:203:405::/48".parse().unwrap(),
            outside: "2001:db8:1::/48".parse().unwrap(),
        }]);
        let (inside, outside) =
            ("fd01:203:405:1::1234".parse().unwrap(), "2001:db8:1:d550::1234".parse().unwrap());
        assert_eq!(prefixes.to_outside(inside), Some(outside));
        assert_eq!(prefixes.to_inside(outside), Some(inside));
        let elsewhere = "2001:db8:2::1".parse().unwrap();
        assert_eq!(prefixes.to_outside(elsewhere), Some(elsewhere));
        assert_eq!(prefixes.to_outside("fd01:203:405:ffff::1".parse().unwrap()), None);
    }

    proptest! {
        #[test]
        fn a_translation_keeps_the_sum_and_can_be_undone(host: u128, from: u128, to: u128, len in 1u8..=64) {
            let net = |bits: u128| Ipv6Net::new(Ipv6Addr::from_bits(bits), len).unwrap().trunc();
            let (from, to) = (net(from), net(to));
            let address = Ipv6Addr::from_bits(from.network().to_bits() | host & from.hostmask().to_bits());
            if let Some(outside) = translate(address, from, to) {
                prop_assert!(to.contains(&outside));
                prop_assert_eq!(sum(outside.segments()), sum(address.segments()));
                let back = translate(outside, to, from);
                // Zero and 0xffff are the same number, and only zero comes back.
                prop_assert_eq!(back.map(|back| back.to_bits()), Some(address.to_bits()));
            }
        }
    }
}
