//! A flow table whose hash table, timers and reference counts are one: the fast backend of
//! [`flow_table_api::Table`].
//!
//! Look-ups take no lock. A hit reads one cache line of the hash table and the flow's own first line; a miss reads
//! one line. The deadlines are kept in a timing wheel over the same entries, so one hash and one probe serve both
//! look-up and timeout, and refreshing touches nothing but the flow. Ended flows and emptied memory go back while
//! the table lives.
//!
//! # Overview
//!
//! * [`FlowTable`]: the table. All that it can do is in [`Table`](api::Table).
//! * [`StrongRef`] and [`WeakRef`]: handles of one word with a count in the flow itself, and references that keep
//!   no value alive.
//! * [`FlowBurst`]: look-ups that borrow flows and count nothing.
//! * [`FlowEntry`]: a flow, as handles and bursts show it.
//! * [`api`]: the interface, whole.
//!
//! # Example: packets
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use flow_table_custom::FlowTable;
//! use flow_table_custom::api::{Flow, FlowKey, FlowSpec, Table, Timestamp};
//!
//! let table = FlowTable::<FlowKey, AtomicU64>::new(1_000_000);
//! let key: FlowKey = "tcp 10.0.0.1:40000 > 192.0.2.1:443".parse()?;
//! for second in 0..3 {
//!     let now = Timestamp::from_secs(second);
//!     let spec = FlowSpec::new(key).reply(key.reversed());
//!     let admission = table.get_or_insert_with(spec, now, || AtomicU64::new(0))?;
//!     admission.flow().value().fetch_add(1, Ordering::Relaxed);
//!     assert!(admission.flow().refresh(now));
//! }
//! let flow = table.lookup(&key.reversed(), Timestamp::from_secs(3)).expect("refreshed a second ago");
//! assert_eq!(flow.value().load(Ordering::Relaxed), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Example: a burst
//!
//! ```
//! use flow_table_custom::FlowTable;
//! use flow_table_custom::api::{Burst, Flow, FlowRef, NewFlow, Table, Timestamp};
//!
//! let table = FlowTable::<u32, &str>::new(100);
//! table.insert(NewFlow::new(7, "seven"), Timestamp::ZERO)?;
//!
//! let burst = table.burst(Timestamp::from_secs(1));
//! let mut found = Vec::new();
//! burst.get_batch(&[7, 8], &mut found);
//! let seven = found[0].expect("inserted above");
//! assert!(seven.refresh(burst.now()) && found[1].is_none());
//!
//! table.remove(&7);
//! assert_eq!(*seven.value(), "seven", "borrowed for as long as the burst is open");
//! assert!(burst.handle(seven).is_none(), "nobody else holds it any more");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Consistency
//!
//! Operations on one key are linearizable. Writers lock the shards of the keys concerned, 64 shards at most;
//! look-ups wait for nobody. They look again if the segment changed while they found nothing, and start a flow
//! that is just replacing another with their key. Those in a burst lock nothing. One that counts a reference
//! may be left with the last reference to a flow that the table lets go meanwhile; it then drops that flow and
//! locks its shard, as the drop of any last handle does.
//!
//! With [`OnExpiry::KeepWhileReferenced`](api::OnExpiry::KeepWhileReferenced) a flow counts as held also while
//! another operation is just looking at it.
//!
//! The two keys of a flow have one status, so they appear and go at one moment. Iteration, statistics and batches
//! are not of one moment.
//!
//! Of the user's code only `Eq` of keys runs under a lock. A value is dropped by whoever lets go of it last,
//! under no lock: in a reap, in the drop of a handle, or at the end of a burst. If several values panic as they
//! are dropped by one operation, all are dropped, and the first of these panics goes on. Where drops of values
//! end further flows, and these again, more than 32 deep, the values wait until the outermost drop collects
//! them.
//!
//! # Time and expiry
//!
//! Deadlines are exact to the nanosecond for look-ups and reaps, however coarse the wheel's buckets are.
//! Refreshing does not touch the wheel: a flow comes up under the deadline it was filed with, and is filed again,
//! once in a timeout. A reap with nothing due looks at one word for each shard. Cancelled flows, and those that a
//! look-up expired, leave a notice with their shard, so the next reap finds them at once.
//!
//! # Memory
//!
//! A flow lies in one piece, key and value in it, in lines of 64 bytes; its address never changes. Values of more
//! than about 60 KiB do not compile: box them. With 40-byte keys and 64-byte values a million flows take at most
//! 42 bytes each beside key, value and deadline. An empty table takes some 200 KiB.
//!
//! New flows fill the lowest pages first. Wholly free pages go back to the system (on Linux; elsewhere they
//! stay with the table), all but half as many as are in use, or 128 KiB of each kind. Handles keep the flow's
//! memory, and what else is in use in the table then, after the table has gone; weak ones keep its addresses.
//!
//! Without memory an insertion fails with `OutOfMemory` and gives its flow back; nothing else needs any (what
//! may still end the process then is in `docs/adr/0026`).
//!
//! # Performance and its limits
//!
//! What each operation costs in cache lines and locked writes is in the documentation of [`FlowTable`] and, with
//! pictures, in the crate's IMPLEMENTATION.md. What to know:
//!
//! * Give whole bursts of keys to [`lookup_batch`](api::Table::lookup_batch) or
//!   [`get_batch`](api::Burst::get_batch): their cache misses overlap. Prefer bursts to handles: counting a
//!   reference costs two locked writes.
//! * Keep bursts short. What ends while one is open waits for it.
//! * A look-up of a two-key flow by its forward key reads one line more than one by its reply key, the adjacent
//!   one.
//! * Keys with equal hashes are found by walking: each costs as much as there are others. The seed is random,
//!   so nobody should be able to choose such keys. The crate's example `collisions` measures what knowing the
//!   seed would be worth.
//! * A table finds at most some 160 million keys, whatever its capacity.
//!
//! # Features
//!
//! None. Linux gets huge pages and gives memory back; x86-64 compares tags with SSE2 and prefetches. Elsewhere
//! both are done without.

#![deny(unsafe_op_in_unsafe_fn)]

mod burst;
mod core;
mod flows;
mod grace;
mod handle;
mod hash;
mod ids;
mod index;
mod memory;
mod nesting;
mod ops;
mod panics;
mod prefetch;
mod release;
mod shard;
mod sync;
mod table;
#[cfg(test)]
mod tests;
mod threads;
mod timer;

pub use burst::FlowBurst;
pub use flow_table_api as api;
pub use flows::FlowEntry;
pub use handle::{StrongRef, WeakRef};
pub use table::FlowTable;
