//! IPFIX (RFC 7011) with bidirectional flows (RFC 5103): what collectors read.
//!
//! There is one template for each version of IP. A record has the counters of both directions: the information
//! elements of the reverse direction are the usual ones under the enterprise number 29305. Only what is exported
//! is encoded, so this is small; nothing is decoded.

mod message;
mod template;
mod writer;

pub use writer::Writer;
