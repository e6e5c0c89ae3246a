//! Where flow records go.

pub mod export;
pub mod target;
