use std::time::Duration;

use flow_table::Timeout;

/// When flows end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// After this time without packets.
    pub idle: Timeout,
    /// A flow that lasts longer gets a record for each such period: with the first packet at or after its end, the
    /// record so far is written, and the next one starts.
    pub active: Option<Duration>,
    /// This long after the last packet since the TCP connection was closed by FIN or RST. A SYN that comes before
    /// starts another flow.
    pub tcp_linger: Option<Duration>,
    /// Whether both directions are one flow, so that both must send FIN.
    pub both: bool,
}

impl Ends {
    /// Flows end only if they are idle for this long.
    pub const fn idle(idle: Timeout) -> Self {
        Self { idle, active: None, tcp_linger: None, both: true }
    }
}

/// The totals of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Flows that began.
    pub flows: u64,
    /// The most flows that were live at one time.
    pub peak_live: usize,
    /// Flows live at the time of the last packet.
    pub live_at_end: usize,
    /// Packets that would have started a flow but found the table full.
    pub refused: u64,
    /// The time spent on the table's work, without the export.
    pub table_time: Duration,
    /// The table's memory at the end, in bytes.
    pub table_bytes: usize,
}
