//! Where flow records go.

mod chunk;
mod collector;
pub mod export;
pub mod netflow;
pub mod records;
mod row;
pub mod target;
mod zeek;

pub use chunk::Chunk;
