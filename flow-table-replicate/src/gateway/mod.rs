//! The threads of one gateway, and taking shards over.

mod promote;
mod status;
mod threads;

pub use promote::Promotion;
pub use status::Status;
pub use threads::{Gateway, GatewayConfig};
