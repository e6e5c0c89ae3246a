//! Captures: pcap and pcapng, read as a stream.
//!
//! The framing is our own: it keeps the offset of each record for error messages, bounds memory whatever lengths a
//! file states, and covers what `pcap-parser`'s readers do not (swapped lengths of old files, the big-endian
//! modified format, obsolete packet blocks). What stands inside file headers and options is `pcap-parser`'s to
//! read.
//!
//! A reader's memory is a buffer and the interfaces of one pcapng section. The buffer is half a mebibyte long and
//! grows to the length of a block that is read whole, at most 16 MiB. A section has at most [`INTERFACE_LIMIT`]
//! interfaces.
//! Blocks of no use are skipped, whatever their length.

mod block;
mod bytes;
mod capture;
mod error;
mod packet;
mod pcap;
mod pcapng;
mod source;
#[cfg(test)]
mod tests;
mod time;

pub use capture::Capture;
pub use error::{Problem, ReadError};
pub use packet::{CAPTURED_LIMIT, INTERFACE_LIMIT, Packet};
