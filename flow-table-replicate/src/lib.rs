#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod cluster;
pub mod codec;
#[cfg(feature = "command")]
pub mod command;
mod feed;
mod gateway;
mod order;
mod ownership;
mod publish;
pub mod record;
mod settings;
mod shard;
mod standby;
mod table;
pub mod transport;

pub use feed::{Counters, Feed};
#[cfg(feature = "metrics")]
pub use gateway::Instruments;
pub use gateway::{Gateway, GatewayConfig, Promotion, Status};
pub use order::{Epoch, Life};
pub use ownership::{Ownership, Role};
pub use publish::{Publisher, Sweeper};
pub use settings::Settings;
pub use shard::{ClusterKey, ShardId, ShardSet};
pub use standby::Standby;
pub use table::{Replicated, ReplicatedTable, Tracked, TrackedBurst, TrackedFlow, TrackedRef, TrackedWeak};
