use std::fmt;

use super::flow::FlowRecord;
use super::orientation::{Orientation, Oriented};
use crate::packet::tcp::{ACK, FIN, RST, SYN};

/// How far a connection came, in the words of connection tracking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TcpState {
    /// Packets in one direction only. No TCP, or no SYN seen.
    Unreplied,
    /// Packets in both directions. No TCP.
    Replied,
    /// A SYN, and no answer.
    SynSent,
    /// A SYN and a SYN/ACK.
    SynReceived,
    /// Both ends have acknowledged.
    Established,
    /// One end has sent FIN.
    FinWait,
    /// Both ends have sent FIN.
    Closed,
    /// One end has sent RST.
    Reset,
}

impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreplied => "unreplied",
            Self::Replied => "replied",
            Self::SynSent => "syn_sent",
            Self::SynReceived => "syn_received",
            Self::Established => "established",
            Self::FinWait => "fin_wait",
            Self::Closed => "closed",
            Self::Reset => "reset",
        })
    }
}

impl FlowRecord {
    /// How far the connection came in this record, by the flags of both directions. Flags have no order, so a
    /// connection that is opened again within one record shows the furthest state.
    pub fn state(&self) -> TcpState {
        let Oriented { key, forward, reverse } = self.oriented(Orientation::Syn);
        let replied = forward.packets > 0 && reverse.packets > 0;
        let (origin, answer) = (forward.tcp_flags, reverse.tcp_flags);
        let both = origin | answer;
        match key.protocol() {
            6 if both & RST != 0 => TcpState::Reset,
            6 if origin & answer & FIN != 0 => TcpState::Closed,
            6 if both & FIN != 0 => TcpState::FinWait,
            6 if replied && origin & ACK != 0 => TcpState::Established,
            6 if answer & SYN != 0 => TcpState::SynReceived,
            6 if origin & (SYN | ACK) == SYN => TcpState::SynSent,
            _ if replied => TcpState::Replied,
            _ => TcpState::Unreplied,
        }
    }
}
