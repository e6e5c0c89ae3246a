use std::fmt;
use std::net::SocketAddr;

use flow_table::{Direction, Flow, FlowKey, Timestamp};
use serde::{Deserialize, Serialize};

use crate::conn::{Conn, Phase};
use crate::side::Side;

/// A flow, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowRow {
    /// The protocol's IANA number.
    pub protocol: u8,
    /// The side from which it began.
    pub from: Side,
    /// Who began it.
    pub source: SocketAddr,
    /// Where the first packet went, before the translation.
    pub destination: SocketAddr,
    /// The side to which it goes.
    pub to: Side,
    /// The source that the other end sees.
    pub translated_source: SocketAddr,
    /// The other end.
    pub translated_destination: SocketAddr,
    /// How far it is.
    pub phase: Phase,
    /// Packets forward and back.
    pub packets: [u64; 2],
    /// Bytes forward and back.
    pub bytes: [u64; 2],
    /// Milliseconds since it began.
    pub age: u64,
    /// Milliseconds until it ends without another packet.
    pub expires: u64,
}

impl FlowRow {
    /// The row of a flow at `now`. `None` if it has only one key, which no flow of a gateway has.
    pub fn of<F: Flow<FlowKey, Conn>>(flow: &F, now: Timestamp) -> Option<Self> {
        let (forward, reply, conn) = (flow.key(), flow.reply_key()?, flow.value());
        let both = [Direction::Forward, Direction::Reply].map(|direction| conn.traffic(direction));
        Some(Self {
            protocol: forward.protocol(),
            from: Side::of(forward),
            source: forward.source(),
            destination: forward.destination(),
            to: Side::of(reply),
            translated_source: reply.destination(),
            translated_destination: reply.source(),
            phase: conn.phase(forward.protocol() == crate::packet::TCP),
            packets: both.map(|traffic| traffic.packets()),
            bytes: both.map(|traffic| traffic.bytes()),
            age: (now - conn.since()).as_millis() as u64,
            expires: (flow.deadline() - now).as_millis() as u64,
        })
    }

    /// The protocol's name, or its number.
    pub fn protocol_name(&self) -> String {
        match self.protocol {
            1 => "icmp".into(),
            6 => "tcp".into(),
            17 => "udp".into(),
            58 => "icmpv6".into(),
            number => number.to_string(),
        }
    }
}

impl fmt::Display for FlowRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} > {}", self.protocol_name(), self.from, self.source, self.destination)?;
        if (self.source, self.destination) != (self.translated_source, self.translated_destination) {
            write!(f, " as {} > {}", self.translated_source, self.translated_destination)?;
        }
        let phase = format!("{:?}", self.phase).to_lowercase();
        let [[sent, received], [out, back]] = [self.packets, self.bytes];
        write!(f, " {phase} packets {sent}/{received} bytes {out}/{back}")?;
        write!(f, " age {}s expires {}s", self.age / 1_000, self.expires / 1_000)
    }
}
