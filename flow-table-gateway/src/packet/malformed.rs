/// Why the gateway cannot read a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// It is no IPv4 or IPv6 packet, or is shorter than it says.
    Ip,
    /// Its transport header is not complete or not valid.
    Transport,
}
