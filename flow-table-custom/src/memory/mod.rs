//! Type-stable memory: pages and arrays of lines that readers without locks may look at whenever they like.
//!
//! ```text
//!  LineArrays  arrays of 2^k lines of 64 bytes      from a pool of their own, thread-safe
//!  PagePool    runs of 2^k pages of 64 KiB          one per purpose, thread-safe
//!  Chunk       32 pages, 2 MiB, aligned to that     mapped until the pool is dropped
//!  os          memory from the system
//! ```
//!
//! # Ground rules
//!
//! 1. (P1) A pool serves one purpose: what its pages once held, they hold ever after, or they read as zeros.
//! 2. No address is unmapped before the pool is dropped. Whoever reads without a lock keeps the pool alive.
//! 3. Freed memory keeps its last contents until it is given back to the system, and reads as zeros from then
//!    on; this may happen at any time, under the eyes of a reader. All accesses to memory that others may read
//!    are therefore atomic, and all zeros must mean "nobody here" to the reader.
//! 4. What must survive giving back (a generation count, say) is kept elsewhere.

mod buddies;
mod chunk;
mod fallible;
mod inventory;
mod lines;
mod mapped;
mod os;
mod pool;
#[cfg(all(test, not(any(flow_table_loom, flow_table_shuttle))))]
mod tests;

pub(crate) use chunk::PAGE_BYTES;
#[cfg(test)]
pub(crate) use fallible::refusing;
pub(crate) use fallible::{AllocError, shrink_to, try_box, try_reserve};
pub(crate) use lines::{Line, LineArrays};
pub(crate) use mapped::Mapped;
pub(crate) use pool::{PageId, PagePool};
