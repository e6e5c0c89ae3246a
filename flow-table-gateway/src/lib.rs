//! NAT and stateful firewall in user space, on a flow table: packets in, packets out.
//!
//! [`Gateway::process`] takes a burst of packets from both sides, and decides where each goes and what it says. A
//! [`Config`] says what is translated and allowed. A [`PacketIo`] receives and sends the packets.
//!
//! ```
//! use flow_table::Timestamp;
//! use flow_table_gateway::{Gateway, Packet, Refusal, Side, Worker};
//!
//! let config = "inside = ['10.0.0.0/24']\nnat.pool = ['203.0.113.1']".parse()?;
//! let gateway = Gateway::new(&config);
//! let mut burst = [Packet::from_bytes(Side::Inside, b"no packet at all")];
//! gateway.process(&mut Worker::new(), &mut burst, Timestamp::ZERO);
//! assert_eq!((burst[0].to, gateway.counters().refused(Refusal::Malformed)), (None, 1));
//! # Ok::<(), flow_table_gateway::ConfigError>(())
//! ```
//!
//! # Behaviour
//!
//! * **NAPT** of IPv4: endpoint-independent or dependent mapping and filtering, paired or arbitrary pooling,
//!   hairpinning, port parity, port forwarding (RFC 4787, RFC 5382, RFC 5508).
//! * **Prefix translation** of IPv6 that leaves checksums alone (RFC 6296).
//! * **Firewall**: rules decide about the first packet of a flow, and all others follow it. TCP connections have
//!   states with timeouts of their own. A reset or FIN needs a sequence number that its receiver would accept.
//! * **ICMP errors** go to whoever caused them, and the packet that they quote is translated, too.
//! * **Fragments** follow the first one, which must come first.
//! * **Limits**: flows in the table, flows of each source, fragmented packets. What is refused is counted by
//!   reason. If no port is free, the sender is told, at a limited rate.
//!
//! # Time
//!
//! As with the table, the caller passes the time, and has [`Gateway::reap`] called often.

#![forbid(unsafe_code)]

mod config;
mod conn;
mod engine;
mod failover;
mod flows;
mod io;
mod nat;
mod packet;
mod policy;
mod resources;
#[cfg(target_os = "linux")]
mod service;
mod side;
mod stats;

pub use config::{
    Action, AddressRange, Config, ConfigError, Filtering, Interfaces, Limits, Mapping, Nat, Nat66, Pooling,
    PortForward, PortRange, Protocol, RangeError, Replicate, Rule, Rules, TcpTimeouts, Timeouts,
};
pub use conn::{Conn, Phase, Traffic};
pub use engine::{Gateway, Usage, Worker};
pub use failover::{Conns, Keys, Member, Membership, ReplicatedFlows};
pub use flows::Flows;
#[cfg(target_os = "linux")]
pub use io::TunIo;
pub use io::{MemoryIo, PacketIo, Wires, memory_pair};
pub use nat::Share;
pub use packet::{Offload, Packet};
#[cfg(target_os = "linux")]
pub use service::{
    Filter, FilterError, FlowRow, Promoted, Replication, Reply, Request, Statistics, ask, run, work,
};
pub use side::Side;
pub use stats::{Counters, Refusal};
