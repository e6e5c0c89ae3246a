//! Where packets come from and go to.

mod memory;
mod packet_io;
#[cfg(target_os = "linux")]
mod tun;

pub use memory::{MemoryIo, Wires, memory_pair};
pub use packet_io::PacketIo;
#[cfg(target_os = "linux")]
pub use tun::TunIo;
