//! The threads of one gateway, and taking shards over.

#[cfg(feature = "metrics")]
mod metrics;
mod promote;
mod status;
mod threads;

#[cfg(feature = "metrics")]
pub use metrics::Instruments;
pub use promote::Promotion;
pub use status::Status;
pub use threads::{Gateway, GatewayConfig};
