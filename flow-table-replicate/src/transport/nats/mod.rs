//! NATS JetStream as the log, and as the registry of owners.
//!
//! A cluster named `edge` has the stream `FLOWS_edge` with the subjects `flows.edge.*`, one for each gateway,
//! and the key-value bucket `flows-edge`, whose key `shards` holds the owners. Many records go into one message:
//! an acknowledged message costs some microseconds, whatever its size.

mod config;
mod connection;
mod log;
mod registry;
mod sink;
mod source;

pub use config::{NatsConfig, NatsError};
pub use connection::NatsTransport;
pub use log::LogState;
pub use registry::NatsRegistry;
pub use sink::NatsSink;
pub use source::NatsSource;
