//! Flows that survive their gateway: the table records its life, and a standby follows it.
//!
//! What a standby needs of a flow's value travels with the flow: the state, the outside port, and whose place it
//! takes. Reading it back takes the same port and the same place at the standby, so whichever gateway has the flow
//! also holds what belongs to it, and a flow that ends gives it back as always. TCP windows do not travel, so no
//! sequence number is checked until both ends have sent a packet through the new gateway.
//!
//! A new flow begins only at the owner of its shard, with an outside port of a shard that this gateway owns.

mod codec;
mod form;
mod keys;
mod member;

pub use codec::Conns;
pub use keys::Keys;
pub use member::{Member, Membership, ReplicatedFlows};
