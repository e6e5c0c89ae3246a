use std::fmt;

/// The kind of header that a frame starts with, by its number in the registry of link-layer header types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(u16);

macro_rules! link_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl LinkType {
            $($(#[$doc])* pub const $name: Self = Self($number);)*
            /// The link types above.
            pub const KNOWN: &[Self] = &[$(Self::$name),*];
        }

        impl fmt::Display for LinkType {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(Self::$name => f.write_str($text),)*
                    Self(number) => write!(f, "link type {number}"),
                }
            }
        }
    };
}

link_types! {
    /// BSD loopback: an address family in the byte order of the machine.
    NULL = 0, "BSD loopback";
    /// Ethernet.
    ETHERNET = 1, "Ethernet";
    /// PPP, with or without HDLC-like framing.
    PPP = 9, "PPP";
    /// IP, as numbered by some systems.
    RAW_BSD = 12, "raw IP";
    /// IP, as numbered by others.
    RAW_OPENBSD = 14, "raw IP";
    /// PPP in HDLC-like framing, or Cisco HDLC.
    PPP_SERIAL = 50, "PPP, serial";
    /// A PPPoE session packet without Ethernet header.
    PPP_ETHER = 51, "PPPoE";
    /// IP.
    RAW = 101, "raw IP";
    /// Cisco HDLC.
    C_HDLC = 104, "Cisco HDLC";
    /// OpenBSD loopback: an address family in network byte order.
    LOOP = 108, "OpenBSD loopback";
    /// Linux cooked capture, version 1.
    LINUX_SLL = 113, "Linux cooked";
    /// IPv4.
    IPV4 = 228, "raw IPv4";
    /// IPv6.
    IPV6 = 229, "raw IPv6";
    /// Linux cooked capture, version 2.
    LINUX_SLL2 = 276, "Linux cooked v2";
}

impl LinkType {
    /// The link type with this number.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number of the link type.
    pub const fn number(self) -> u16 {
        self.0
    }
}
