//! IPv6 extension headers.

use etherparse::{IpNumber, Ipv6FragmentHeaderSlice};

/// What follows the extension headers.
pub(super) enum Payload<'p> {
    /// The header of the protocol found, as far as it was captured.
    Upper(&'p [u8]),
    /// A fragment that does not begin with that header.
    LaterFragment,
    /// An extension header ends after the packet or the captured bytes.
    CutOff,
}

/// Skips hop-by-hop, routing, fragment, destination, mobility, HIP and shim6 headers; all others are final, among
/// them AH and ESP. Returns the number of the header at which it stopped.
pub(super) fn skip(mut next: IpNumber, mut bytes: &[u8]) -> (IpNumber, Payload<'_>) {
    loop {
        match next {
            IpNumber::IPV6_FRAGMENTATION_HEADER => {
                let Ok(header) = Ipv6FragmentHeaderSlice::from_slice(bytes) else {
                    return (next, Payload::CutOff);
                };
                next = header.next_header();
                if header.fragment_offset().value() > 0 {
                    return (next, Payload::LaterFragment);
                }
                bytes = &bytes[header.slice().len()..];
            }
            IpNumber::IPV6_HEADER_HOP_BY_HOP
            | IpNumber::IPV6_ROUTE_HEADER
            | IpNumber::IPV6_DESTINATION_OPTIONS
            | IpNumber::MOBILITY_HEADER
            | IpNumber::HIP
            | IpNumber::SHIM6 => {
                let Some(&[following, length, ..]) = bytes.first_chunk::<8>() else {
                    return (next, Payload::CutOff);
                };
                next = IpNumber(following);
                // A header longer than the packet leaves nothing, but the number of its successor is known.
                bytes = bytes.get(8 * (1 + usize::from(length))..).unwrap_or_default();
            }
            _ => return (next, Payload::Upper(bytes)),
        }
    }
}
