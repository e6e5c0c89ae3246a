use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Timeouts;
use crate::packet::{ICMP, ICMPV6, TCP, UDP};

/// How far a flow is. Its timeout follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Only one end has been heard, or a TCP connection is not open yet.
    Opening,
    /// Both ends have been heard.
    Established,
    /// One end has closed a TCP connection.
    Closing,
    /// Both ends have closed a TCP connection, or one has reset it.
    Closed,
}

impl Phase {
    pub(crate) const fn timeout(self, protocol: u8, timeouts: &Timeouts) -> Duration {
        match (protocol, self) {
            (TCP, Self::Opening) => timeouts.tcp.opening,
            (TCP, Self::Established) => timeouts.tcp.established,
            (TCP, Self::Closing) => timeouts.tcp.closing,
            (TCP, Self::Closed) => timeouts.tcp.closed,
            (UDP, Self::Opening) => timeouts.udp_unreplied,
            (UDP, _) => timeouts.udp,
            (ICMP | ICMPV6, _) => timeouts.icmp,
            _ => timeouts.other,
        }
    }
}
