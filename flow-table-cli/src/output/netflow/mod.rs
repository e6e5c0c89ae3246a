//! What collectors read: IPFIX (RFC 7011) with bidirectional flows (RFC 5103), and NetFlow version 9 (RFC 3954).
//!
//! Both are messages with templates, and differ in their headers. There is one template for each version of IP. A
//! record of IPFIX has the counters of both directions: the information elements of the reverse direction are the
//! usual ones under the enterprise number 29305. NetFlow has no such elements, so each direction that has packets
//! is a record. Only what is exported is encoded, so this is small; nothing is decoded.

mod message;
mod template;
mod version;
mod writer;

pub use version::Version;
pub use writer::Writer;
