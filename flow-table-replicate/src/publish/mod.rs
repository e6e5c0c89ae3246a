//! From the buffers to the transport, and what repairs losses.

mod exporting;
mod publisher;
mod sweep;

pub use publisher::Publisher;
pub use sweep::Sweeper;
