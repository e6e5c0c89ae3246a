//! The configuration, as its TOML file has it.

mod addresses;
mod duration;
mod error;
mod file;
mod limits;
mod nat;
mod replicate;
mod rules;
mod timeouts;

pub use addresses::{AddressRange, PortRange, RangeError};
pub use error::ConfigError;
pub use file::{Config, Interfaces};
pub use limits::Limits;
pub use nat::{Filtering, Mapping, Nat, Nat66, Pooling, PortForward};
pub use replicate::Replicate;
pub use rules::{Action, Protocol, Rule, Rules};
pub use timeouts::{TcpTimeouts, Timeouts};
