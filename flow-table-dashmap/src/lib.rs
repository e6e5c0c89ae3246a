//! A flow table over a [`DashMap`](https://docs.rs/dashmap) of weak references and per-thread priority queues.
//!
//! This is one of the backends of [`flow_table_api::Table`]. The map leads from keys to *weak* references. The
//! queue of the thread that inserted a flow holds the *strong* one, filed by deadline. The design is what
//! dataplanes commonly start with. This crate does it completely, in safe code, as a baseline for others; it is
//! written for clarity first.
//!
//! * [`FlowTable`] is the table, with what it costs. It needs keys that are `Clone`: the map keeps a copy.
//! * [`FlowHandle`], [`WeakFlowHandle`], [`FlowRecord`] and [`FlowBurst`] are handles, flows and bursts. What they
//!   can do is in the traits of [`flow_table_api`], which is re-exported whole.
//!
//! # Example: packets
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use flow_table_dashmap::FlowTable;
//! use flow_table_dashmap::flow_table_api::{Flow, FlowKey, FlowSpec, Table, Timestamp};
//!
//! let table = FlowTable::<FlowKey, AtomicU64>::new(1_000_000);
//! let key: FlowKey = "udp 10.0.0.1:5353 > 10.0.0.2:53".parse()?;
//! for second in 0..3 {
//!     let now = Timestamp::from_secs(second);
//!     let admission = table.get_or_insert_with(FlowSpec::new(key), now, || AtomicU64::new(0))?;
//!     admission.flow().value().fetch_add(1, Ordering::Relaxed);
//!     assert!(admission.flow().refresh(now));
//! }
//! let flow = table.lookup(&key, Timestamp::from_secs(3)).expect("live");
//! assert_eq!(flow.value().load(Ordering::Relaxed), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Example: export of what ended
//!
//! ```
//! use flow_table_dashmap::FlowTable;
//! use flow_table_dashmap::flow_table_api::{Budget, Flow, NewFlow, Table, Timestamp};
//!
//! let table = FlowTable::new(10);
//! table.insert(NewFlow::new("web", 80), Timestamp::ZERO)?;
//! let mut records = Vec::new();
//! table.reap_with(Timestamp::from_secs(60), Budget::UNLIMITED, |ended| {
//!     records.push((*ended.flow.key(), *ended.flow.value(), ended.reason));
//! });
//! assert_eq!(records.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it works
//!
//! **The problem.** Every packet looks its flow up and refreshes it; few packets begin a flow. A flow ends when no
//! packet has come for a while. Packets that are under way still hold it then. So a look-up must not touch the
//! queue that expires flows, and the end of a flow must not take its memory from those who hold it.
//!
//! **The structures.**
//!
//! ```text
//!               key ──► slot  (map, one lock for each shard)
//!                        ┊ weak
//!                        ▼
//!  handles, bursts ──► record: status and deadline, options, id, hashes, keys, value
//!                        ▲ │
//!                 strong │ └──► home: number of the queue, notes, counters ──► shared: the map, drops put off
//!                        │
//!  table ──► queue: a heap by deadline, and the dying list  (one lock; one queue for each thread that inserts)
//! ```
//!
//! * A *record* is one allocation. Its status and its deadline are one atomic word, which only compare-and-swap
//!   changes.
//! * A *slot* is an entry of the map, one for each key of a flow. It holds a copy of the key and a weak reference.
//! * A *queue* belongs to the table. A thread that inserts for the first time takes one; when the thread ends, the
//!   next new thread takes it over. More than 256 threads that insert at once share the first one.
//! * A flow's *id* is new with every insertion and reinsertion. Slots and queue entries are found by id and never
//!   by key, so nothing that is late can hit a flow that has taken another's place.
//! * A flow is in a heap as long as it has a *place*, which `len()` counts. A flow that has ended and had to give
//!   its place to another is *dying*: it is in the dying list of its queue, until the next reap.
//! * *Notes* name flows that were cancelled, or expired by a look-up, before a reap came. Whoever ends a flow so
//!   takes no lock and leaves a note.
//! * *Stripes* are locks by the hash of a key. They serialize those who change what stands under the key.
//!
//! The table owns the queues, queues and handles count references to flows, and flows count references to
//! `shared`, which knows flows weakly. No references form a circle. The files do not either: each folder imports
//! the ones before it alone, in the order `base`, `map`, `flow`, `queue`, `core`, `ops`, and `burst` and `table`
//! at last.
//!
//! **The locks** are taken in this order: stripes, ascending; one queue; one shard of the map, never together with
//! a queue. Of the user's code only `Eq` of keys runs under a lock: a stripe or a shard. It runs before anything
//! is changed.
//!
//! **A look-up** hashes the key, reads the slot under the shard's lock, shared, and counts a reference. If the
//! flow is live, that is all. If not, the flow may be on its way in, or another one may be about to take its
//! place. Then the look-up reads again until no writer of the stripe has been at work meanwhile. It expires a flow
//! that is due as a writer itself, under the stripe, and leaves a note.
//!
//! **A refresh** moves the deadline in the flow's word. The queue is not told: the flow comes up there under its
//! earlier deadline, and is filed again. A deadline that is brought forward is filed at once.
//!
//! **An insertion** copies and hashes the keys, and takes their stripes. It looks at what stands under them, which
//! may refuse it, and counts the new flow: in the place of the flow that it replaces, or in a free place. If there
//! is none, up to 64 visits to the queues look for a flow that has ended or is due. That one moves to the dying
//! list, unless as many are dying as the table may hold flows. Then the insertion fills the slots, and takes away
//! what other slots the flows have that it found there. At last it files the flow and makes it active, under the
//! queue's lock: this is the moment at which it takes effect.
//!
//! **A reap** visits one queue after the other: first its dying flows, then its notes, then the heap as far as it
//! is due. It takes one flow under the lock and hands it over under none, then the next. So a callback that panics
//! has got the only flow that is not in the table. When much less is left than there was, the reap shrinks queues
//! and map.
//!
//! **The end of a flow** is one compare-and-swap, whose winner counts it. A flow that was removed or replaced
//! leaves its queue and loses its slots at once. Others keep both until a reap hands them over. The record lives
//! until the last reference goes. Whoever drops that one removes the slots that are left, and drops keys and value
//! one by one, so that each may panic; the first panic goes on at the end. A value's drop may use the table, and
//! so drop other flows. Where 32 such drops are nested on a thread, the next one is put off until the outermost is
//! done.
//!
//! **What was not done.**
//!
//! * *Strong references in the map.* Then a flow that has timed out must be found and removed in the map before
//!   its memory is free, and a reap would take the locks of look-ups for each flow.
//! * *One queue for all threads.* Every insertion would wait for its lock.
//! * *Moving the flow in the queue with each refresh.* A packet would cost a lock and O(log n).
//! * *Guards of the map kept over an insertion, instead of stripes.* Two keys may share a shard or not, in any
//!   order: two insertions would wait for each other for ever.
//! * *Insertions that hand over what makes room for them.* Callers that ignore results would lose records.
//!
//! # Consistency
//!
//! Insertions, reinsertions and removals of a key come one after the other, and take effect when the flow's status
//! changes. A look-up never sees a key between two owners. It waits for no other look-up, but for one that is just
//! expiring a flow, or for a writer that waits for a look-up on another thread to leave the shard.
//!
//! With [`OnExpiry::KeepWhileReferenced`](flow_table_api::OnExpiry) a flow that an open burst has borrowed counts
//! as held, and so does one that a look-up on another thread is just looking at. A note about a flow that has been
//! reinserted since takes of a reap's budget, as one that was rescheduled.
//!
//! # Memory
//!
//! Flows are single allocations, and go back to the program's allocator. Whether that returns them to the system
//! is up to it: glibc's keeps much of what a flood leaves until `malloc_trim` is called, which needs a line of
//! unsafe code that this crate does not contain. [`InsertError::OutOfMemory`](flow_table_api::InsertError) is
//! never returned: the map aborts if there is no memory.
//!
//! # Performance and its limits
//!
//! See [`FlowTable`] for the costs. What bounds this design: a look-up writes to memory four times (the shard's
//! lock and the reference count, both taken and given back), each hit reads three cache lines at least, and an
//! insertion with its expiry makes two changes to the map and two to a heap. Growing copies a whole shard or queue
//! at once, which delays whoever inserts into it then. A burst saves nothing: it counts references like anyone
//! else.

#![forbid(unsafe_code)]

mod base;
mod burst;
mod core;
mod flow;
mod map;
mod ops;
mod queue;
mod table;

pub use burst::FlowBurst;
pub use flow::handle::{FlowHandle, WeakFlowHandle};
pub use flow::strong::FlowRecord;
pub use flow_table_api;
pub use table::FlowTable;
