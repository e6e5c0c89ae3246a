/// A protocol of messages with templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// NetFlow version 9 (RFC 3954). Each direction of a flow is a record.
    V9,
    /// IPFIX (RFC 7011), in which a record has both directions (RFC 5103).
    Ipfix,
}

impl Version {
    /// The number with which messages start.
    pub(super) const fn number(self) -> u16 {
        match self {
            Self::V9 => 9,
            Self::Ipfix => 10,
        }
    }

    /// Bytes before the first set.
    pub(super) const fn header(self) -> usize {
        match self {
            Self::V9 => 20,
            Self::Ipfix => 16,
        }
    }

    /// The number of the set of templates.
    pub(super) const fn template_set(self) -> u16 {
        match self {
            Self::V9 => 0,
            Self::Ipfix => 2,
        }
    }
}
