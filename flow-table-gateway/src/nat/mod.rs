//! Address translation: outside ports and who has them, and IPv6 prefixes.

mod mappings;
mod pool;
mod ports;
mod prefix;
mod share;

pub(crate) use mappings::{Binding, Mapping, Mappings, MappingsFull};
pub(crate) use pool::Pool;
pub(crate) use prefix::Prefixes;
pub use share::Share;
