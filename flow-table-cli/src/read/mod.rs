//! Captures: pcap and pcapng, read as a stream.
//!
//! This crate has its own framing. It keeps the offset of each record for error messages, limits memory whatever
//! lengths a file states, and reads what the readers of `pcap-parser` do not (swapped lengths of old files, the
//! big-endian modified format, obsolete packet blocks). `pcap-parser` reads the contents of file headers and
//! options.
//!
//! A reader's memory is a buffer and the interfaces of one pcapng section. The buffer is half a mebibyte long and
//! grows to the length of a block that is read whole, at most 16 MiB. A section has at most [`INTERFACE_LIMIT`]
//! interfaces. Blocks that are not needed are skipped, whatever their length.

mod block;
mod bytes;
mod capture;
mod error;
mod packet;
mod packets;
mod pcap;
mod pcapng;
mod source;
#[cfg(test)]
mod tests;
mod time;

pub use capture::Capture;
pub use error::{Problem, ReadError};
pub use packet::{CAPTURED_LIMIT, INTERFACE_LIMIT, Packet};
pub use packets::Packets;
