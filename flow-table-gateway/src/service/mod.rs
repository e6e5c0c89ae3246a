//! A gateway that runs: its workers, the socket through which operators talk to it, signals.

mod control;
mod filter;
mod host;
mod request;
mod row;
mod run;
mod worker;

#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "nats")]
mod pair;

pub use control::ask;
pub use filter::{Filter, FilterError};
pub use request::{Promoted, Replication, Reply, Request, Statistics};
pub use row::FlowRow;
pub use run::run;
pub use worker::work;
