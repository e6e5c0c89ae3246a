//! A flow table in which the hash table, the timers and the reference counts share one set of entries: the fast
//! backend of [`flow_table_api::Table`].
//!
//! * [`FlowTable`]: the table. Its operations are those of [`Table`](api::Table).
//! * [`StrongRef`] and [`WeakRef`]: handles of one word, with the count in the flow itself, and references that do
//!   not keep the value alive.
//! * [`FlowBurst`]: look-ups that borrow flows and count no references.
//! * [`FlowEntry`]: a flow, as handles and bursts show it.
//! * [`api`]: the interface, re-exported as a whole.
//!
//! # How it works
//!
//! **The problem.** A packet dataplane looks a flow up for every packet, on all processors at the same time,
//! and moves its deadline. It inserts a flow for every new conversation, and takes flows out whose deadline has
//! passed. Other parts of the program hold flows at the same time. A table of millions of flows does not fit in
//! the caches. So the time that an operation takes is mostly the number of cache lines that it loads from
//! memory, and the number of locked writes to lines that processors share.
//!
//! **The structures.** There is one entry for each flow. The hash table, the timers, handles and bursts all point
//! to it, by its index or its address. Entries never move, but a flow that nobody uses may move to another one.
//!
//! ```text
//!  hash of the key
//!      |
//!      v
//!  segment, one of 2,048           page of one shard, 64 KiB
//!  +--------+--------+---          +--------+---------+---------+-----+--------------------+
//!  | bucket | bucket | …           | header | entry 0 | entry 1 |  …  | records of entries |
//!  +---|----+--------+---          +--------+---------+---------+-----+--------------------+
//!      | 12 tags, 12 slots                       ^                              ^
//!      +-- index of an entry --------------------+                              |
//!                                                |                              |
//!  handle, borrow of a burst                     |                              |
//!      +-- address of an entry ------------------+                              |
//!                                                                               |
//!  timing wheel, one for each shard                                             |
//!      +-- index of an entry ---------------------------------------------------+
//! ```
//!
//! * An **entry** has a word with status and deadline, a word with reference count and generation, the options,
//!   the keys and the value. What only the shard needs is in the entry's record: hash and place in the timing
//!   wheel.
//! * A **bucket** is one cache line: twelve slots, whose tags are compared at once, and a count of the flows that
//!   found it full and went to the next bucket.
//! * A **segment** is an array of buckets. It is replaced as a whole when it grows, and there are so many segments
//!   that this takes microseconds.
//! * A **shard** is what a writer locks. It has some of the segments, the pages of its flows and a timing wheel.
//!
//! **The protocol.**
//!
//! * A look-up takes no lock. It walks from the key's bucket, checks each flow with the right tag by its key,
//!   and counts a reference only if the count is not zero. A miss is valid only if the segment's version is the
//!   same before and after.
//! * A look-up in a burst counts nothing. The burst announces itself once, and flows that end while it is open
//!   wait in *limbo* until it is closed: a grace period, as in RCU.
//! * A refresh is one compare-and-swap of the word with status and deadline. The wheel does not learn of it.
//!   When the old deadline comes up, the wheel asks the flow for the new one, and files it again.
//! * An insertion locks the shards of the flow's keys, and those of the flows that it replaces. A removal locks
//!   the shards of its flow.
//! * A flow ends by one compare-and-swap, with or without a lock. A reap then takes the table's reference to it
//!   and hands the flow over. Look-ups never clean up.
//! * The thread that gives up the last reference owns the entry. It drops the value, empties the slots and
//!   frees the entry, in this order.
//! * Memory is type-stable: what was an entry or a bucket once stays one, or reads as zeros. So a look-up may
//!   follow an outdated slot, and finds out by the count and the key.
//!
//! **The alternatives.** A map of locked shards, a queue of deadlines and a counted allocation for each flow
//! are simpler; `flow-table-dashmap` is such a backend. There, each look-up writes to a lock's line, and a flow
//! is an allocation of its own beside the map and the queue. Reclaiming all memory by epochs would make every
//! look-up announce itself, also one that counts a reference. A table with the flows in its slots would save a
//! line for each hit, but growth would move the flows. A heap of all deadlines took several times as long as
//! the wheel when it was measured with a million flows. `docs/adr` has the records of these decisions, with
//! measurements, from 20 on.
//!
//! The crate's IMPLEMENTATION.md has the layout of everything in memory, the rules P1 to P13 that the code
//! cites, the path of a new flow through the files, and a cost sheet.
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
//! Operations on one key are linearizable. Writers lock the shards of the keys concerned; there are at most 64
//! shards. Look-ups wait for no other thread. If the segment has changed while a look-up found nothing, it
//! looks again. If it meets a flow that is just replacing another one under its key, it starts the new flow
//! itself. Look-ups in a burst lock nothing. A look-up that counts a reference may be left with the last
//! reference to a flow that the table lets go at the same time. It then drops that flow and locks its shard, as
//! the drop of any last handle does.
//!
//! With [`OnExpiry::KeepWhileReferenced`](api::OnExpiry::KeepWhileReferenced), a flow also counts as held while
//! another operation is just looking at it.
//!
//! The two keys of a flow share one status, so they appear and disappear at the same moment. Iteration,
//! statistics and batches are not atomic as a whole.
//!
//! Of the user's code, only `Eq` of keys runs under a lock. A value is dropped under no lock, by the operation
//! that gives up the last reference: a reap, the drop of a handle, or the end of a burst. If several values
//! panic when one operation drops them, all of them are dropped, and then the first of these panics continues.
//! If drops of values end further flows, and the drops of these end more, to a depth of more than 32, the
//! values wait until the outermost drop collects them.
//!
//! # Time and expiry
//!
//! Look-ups and reaps observe deadlines to the nanosecond, however coarse the wheel's buckets are. Refreshing
//! does not touch the wheel: a flow comes up under the deadline with which it was filed, and is filed again,
//! about once in a timeout. A reap with nothing due looks at one word for each shard. Flows that were
//! cancelled, or that a look-up expired, leave a notice with their shard, so that the next reap finds them at
//! once.
//!
//! # Memory
//!
//! A flow is in one piece, with key and value in it, in lines of 64 bytes. Its address never changes. Values of
//! more than about 60 KiB do not compile: box them. With 40-byte keys and 64-byte values, a million flows take
//! at most 42 bytes each beside key, value and deadline. An empty table takes 35 to 100 KB, depending on the
//! number of shards.
//!
//! New flows fill the lowest pages first. Pages that are wholly free go back to the system on Linux; elsewhere
//! they stay with the table. Of each kind, free pages up to half as many as are in use, or 128 KiB, are kept.
//! After the table has gone, a handle keeps its flow's memory, and the other memory that the table had in use.
//! A weak reference keeps the table's addresses.
//!
//! Without memory, an insertion fails with `OutOfMemory` and returns its flow. Other operations need none; what
//! may still end the process is in `docs/adr/0026`.
//!
//! # Performance and its limits
//!
//! The documentation of [`FlowTable`] has the costs of each operation in cache lines and locked writes. What to
//! know:
//!
//! * Pass whole bursts of keys to [`lookup_batch`](api::Table::lookup_batch) or
//!   [`get_batch`](api::Burst::get_batch): their cache misses overlap. Prefer bursts to handles: counting a
//!   reference costs two locked writes.
//! * Keep bursts short. Flows that end while one is open wait for it.
//! * A look-up of a two-key flow by its forward key reads one more line than one by its reply key: the adjacent
//!   one.
//! * Keys with equal hashes are found by walking: each costs as much as there are others. The seed is random,
//!   so nobody should be able to choose such keys. The crate's example `collisions` measures what knowing the
//!   seed would be worth.
//! * A table finds at most some 160 million keys, whatever its capacity.
//!
//! # Features
//!
//! There are none. On Linux, the table uses huge pages and gives memory back. On x86-64, it compares tags with
//! SSE2 and prefetches. Elsewhere it does without.

#![cfg_attr(docsrs, feature(doc_cfg))]
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
