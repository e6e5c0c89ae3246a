//! Where captures come from: files, pipes and standard input, compressed or not, one by one or merged.
//!
//! * [`open`]: a file, a pipe or standard input as a stream of bytes. Input that may wait is read by a thread of
//!   its own, so that a signal ends the program also while nothing arrives.
//! * [`decompress`]: gzip, zstd and LZ4, recognized by their content.
//! * [`merge`] and [`sort`]: packets in the order of their times.

mod bomb;
pub mod decompress;
mod follow;
pub mod merge;
pub mod open;
pub(crate) mod owned;
mod pump;
pub mod sort;
#[cfg(test)]
mod tests;
mod zstd;
