use etherparse::{TcpHeaderSlice, TcpOptionElement};

/// What the gateway reads from a TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) syn: bool,
    pub(crate) ack: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
    pub(crate) sequence: u32,
    pub(crate) acknowledged: u32,
    /// As the header has it, not scaled.
    pub(crate) window: u16,
    /// The window's scale that a SYN offers.
    pub(crate) scale: Option<u8>,
    /// What the segment takes of the sequence space: its data, SYN and FIN.
    pub(crate) length: u32,
}

impl Segment {
    /// `length` is that of header and data.
    pub(crate) fn new(header: &TcpHeaderSlice<'_>, length: usize) -> Self {
        let data = length.saturating_sub(header.slice().len()) as u32;
        let scale = || {
            header.options_iterator().find_map(|option| match option {
                // RFC 7323: more than 14 counts as 14.
                Ok(TcpOptionElement::WindowScale(scale)) => Some(scale.min(14)),
                _ => None,
            })
        };
        Self {
            syn: header.syn(),
            ack: header.ack(),
            fin: header.fin(),
            rst: header.rst(),
            sequence: header.sequence_number(),
            acknowledged: header.acknowledgment_number(),
            window: header.window_size(),
            scale: if header.syn() { scale() } else { None },
            length: data + u32::from(header.syn()) + u32::from(header.fin()),
        }
    }

    /// Returns `true` if the segment can begin a connection.
    pub(crate) const fn opens(&self) -> bool {
        self.syn && !self.ack && !self.fin && !self.rst
    }
}
