//! IANA protocol numbers that the gateway knows.

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const DCCP: u8 = 33;
pub(crate) const ICMPV6: u8 = 58;
pub(crate) const UDP_LITE: u8 = 136;

/// Where the checksum of a transport header is, if it covers the addresses.
pub(crate) const fn checksum_offset(protocol: u8) -> Option<usize> {
    match protocol {
        TCP => Some(16),
        UDP | DCCP | UDP_LITE => Some(6),
        ICMPV6 => Some(2),
        _ => None,
    }
}
