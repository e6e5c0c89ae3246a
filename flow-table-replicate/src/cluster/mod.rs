//! Who owns which shard.

mod ports;
mod registry;
mod rendezvous;

pub use ports::PortBlocks;
pub use registry::{MemoryRegistry, NodeId, Owner, Registry, ShardMap, Unreachable};
pub(crate) use registry::{claim, confirm};
pub use rendezvous::Members;
