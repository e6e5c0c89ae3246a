//! Where flow records go.

pub mod export;
mod row;
pub mod target;
mod zeek;
