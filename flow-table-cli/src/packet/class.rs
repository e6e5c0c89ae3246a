/// The kind of a packet, as far as it matters for flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// TCP with its header.
    Tcp,
    /// UDP with its header.
    Udp,
    /// SCTP with its header.
    Sctp,
    /// An echo request or reply of ICMP or ICMPv6. Its identifier is used for both ports.
    IcmpEcho,
    /// Any other message of ICMP or ICMPv6.
    IcmpOther,
    /// Any other protocol.
    Other,
    /// A fragment other than the first: without ports.
    LaterFragment,
    /// The header that would hold the ports is cut off.
    Short,
}

impl Class {
    /// TCP, UDP or an echo with its ports: what `--protocols l4` selects.
    pub const fn is_l4(self) -> bool {
        matches!(self, Self::Tcp | Self::Udp | Self::IcmpEcho)
    }
}
