//! Where packets come from and go to.

mod memory;
mod packet_io;

pub use memory::{MemoryIo, Wires, memory_pair};
pub use packet_io::PacketIo;
