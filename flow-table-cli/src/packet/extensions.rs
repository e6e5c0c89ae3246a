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

/// The fragment header of a packet: its offset, whether more fragments follow, and the identification.
pub(super) type FragmentField = (u16, bool, u32);

/// Skips hop-by-hop, routing, fragment, destination, mobility, HIP and shim6 headers; all others are final, among
/// them AH and ESP. Returns the number of the header at which it stopped.
pub(super) fn skip(mut next: IpNumber, mut bytes: &[u8]) -> (IpNumber, Payload<'_>, FragmentField) {
    let mut fragment = (0, false, 0);
    loop {
        match next {
            IpNumber::IPV6_FRAGMENTATION_HEADER => {
                let Ok(header) = Ipv6FragmentHeaderSlice::from_slice(bytes) else {
                    return (next, Payload::CutOff, fragment);
                };
                next = header.next_header();
                fragment = (header.fragment_offset().value(), header.more_fragments(), header.identification());
                if header.fragment_offset().value() > 0 {
                    return (next, Payload::LaterFragment, fragment);
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
                    return (next, Payload::CutOff, fragment);
                };
                next = IpNumber(following);
                // A header longer than the packet leaves nothing, but the number of its successor is known.
                bytes = bytes.get(8 * (1 + usize::from(length))..).unwrap_or_default();
            }
            _ => return (next, Payload::Upper(bytes), fragment),
        }
    }
}
