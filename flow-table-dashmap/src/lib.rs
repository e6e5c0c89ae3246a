//! A flow table over a [`DashMap`](https://docs.rs/dashmap) of weak references and per-thread priority queues.
//!
//! This is one of the backends of [`flow_table_api::Table`]. The map leads from keys to *weak* references. The
//! queue of the thread that inserted a flow holds the *strong* one, filed by deadline. Dataplanes commonly start
//! with this design. This crate implements it completely, in safe code, as a baseline for others, and is written
//! for clarity first.
//!
//! * [`FlowTable`] is the table; its documentation lists the costs. It needs keys that are `Clone`, because the
//!   map keeps a copy of each.
//! * [`FlowHandle`], [`WeakFlowHandle`], [`FlowRecord`] and [`FlowBurst`] are handles, flows and bursts. The
//!   traits of [`flow_table_api`], which is re-exported, say what they can do.
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
//! # Example: export of ended flows
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
//! **The problem.** Every packet looks up its flow and refreshes it, but few packets begin a flow. A flow ends
//! when no packet has come for a while. Packets in flight may still hold it then. So a look-up must not touch the
//! queue that expires flows, and the end of a flow must not free its memory while somebody holds it.
//!
//! **The structures.**
//!
//! ```text
//!               key ──► slot  (map, one lock for each shard)
//!                        ┊ weak
//!                        ▼
//!  handles, bursts ──► record: status and deadline, options, id, hashes, keys, value
//!                        ▲ │
//!                 strong │ └──► home: number of the queue, notes, counters ──► shared: the map, late drops
//!                        │
//!  table ──► queue: a heap by deadline, the dying list  (one lock; one queue for each thread that inserts)
//! ```
//!
//! * A *record* is one allocation. Its status and its deadline are in one atomic word, which changes only by
//!   compare-and-swap.
//! * A *slot* is an entry of the map. A flow has one for each of its keys. It contains a copy of the key and a
//!   weak reference.
//! * A *queue* belongs to the table. A thread that inserts for the first time takes one. When the thread ends, the
//!   next new thread takes the queue over. If more than 256 threads insert at once, the others share the first
//!   one.
//! * A flow's *id* is new with every insertion and reinsertion. Slots and queue entries are found by id and never
//!   by key, so a late removal cannot hit a flow that has taken another's place.
//! * A flow is in a heap as long as it has a *place*, which `len()` counts. A flow that has ended and gave its
//!   place to another is *dying*. It is in the dying list of its queue until the next reap.
//! * *Notes* name flows that were cancelled, or that a look-up expired, before a reap came. They also name flows
//!   whose deadline was brought forward. Such a change takes no lock and leaves a note.
//! * *Stripes* are locks by the hash of a key. They serialize the writers of the key.
//!
//! The table owns the queues. Queues and handles have counted references to flows, and flows to `shared`, which
//! knows flows only weakly. So no references form a circle. The files do not, either: each folder imports only the
//! ones before it, in the order `base`, `map`, `flow`, `queue`, `core`, `ops`; `burst` and `table` come last.
//!
//! **The locks** are taken in this order: stripes, in ascending order; one queue; one shard of the map, never
//! together with a queue. The list of open bursts has a lock of its own. The only user code that runs under a lock
//! is `Eq` of keys, under a stripe or a shard. It runs before anything is changed.
//!
//! **A look-up** hashes the key, reads the slot under the shared lock of the shard, and counts a reference. If the
//! flow is live, it is found. If not, the flow may be on its way in, or another one may be about to take its
//! place. Then the look-up reads again until no writer of the stripe was at work in the meantime. A flow that is
//! due is expired by the look-up as a writer, under the stripe, with a note.
//!
//! **A refresh** moves the deadline in the flow's word. The queue does not learn of it. The flow comes up there
//! under its earlier deadline, and is filed again. If a deadline is brought forward, a note says so.
//!
//! **An insertion** copies and hashes the keys, and takes their stripes. It looks at the flows under the keys,
//! which may refuse it. Then it counts the new flow, in the place of the flow that it replaces or in a free place.
//! If there is no free place, up to 64 visits to the queues look for a flow that has ended or is due. That flow
//! moves to the dying list, unless as many are dying as the table may hold flows. Then the insertion fills the
//! slots, and removes the other slots of the flows that it found there. At last it files the flow and makes it
//! active, under the lock of the queue. At this moment it takes effect.
//!
//! **A reap** visits one queue after the other: first its dying flows, then its notes, then the heap as far as it
//! is due. It takes one flow under the lock, hands it over under no lock, and takes the next. So if a callback
//! panics, it has received the only flow that is not in the table. If much less is left than there was, the reap
//! shrinks the queues and the map.
//!
//! **The end of a flow** is one compare-and-swap, and its winner counts the end. A flow that was removed or
//! replaced leaves its queue and loses its slots at once. Other flows keep both until a reap hands them over. The
//! record lives until the last reference is dropped. That drop removes the slots that are left, and drops keys and
//! value one by one, so that each may panic; the first panic continues at the end. The drop of a value may use the
//! table, and so drop other flows. If 32 such drops are nested on a thread, the next one is deferred to the
//! outermost.
//!
//! In a table that makes final records, the last drop moves keys and value into a record instead.
//!
//! **Alternatives that were rejected.**
//!
//! * *Strong references in the map.* A flow that has timed out must then be found in the map and removed before
//!   its memory is free, and a reap takes the locks of look-ups for each flow.
//! * *One queue for all threads.* Every insertion waits for its lock.
//! * *Moving the flow in the queue with each refresh.* Each packet costs a lock and O(log n).
//! * *Guards of the map kept during an insertion, instead of stripes.* Two keys may share a shard or not, in any
//!   order, so two insertions can wait for each other for ever.
//! * *Insertions that return the flows that make room for them.* Callers that ignore results lose records.
//!
//! # Consistency
//!
//! Insertions, reinsertions and removals of a key run one after the other, and take effect when the status of the
//! flow changes. A look-up never sees a key between two owners. It does not wait for other look-ups, except for
//! one that is expiring a flow. It may wait for a writer that waits for a look-up on another thread to leave the
//! shard.
//!
//! With [`OnExpiry::KeepWhileReferenced`](flow_table_api::OnExpiry), a flow counts as held if an open burst has
//! borrowed it, or if a look-up on another thread looks at it at that moment. A note about a flow that has been
//! reinserted since uses budget of a reap, like a flow that was rescheduled.
//!
//! # Memory
//!
//! Each flow is a single allocation, and its memory returns to the program's allocator. Whether the allocator
//! returns it to the system is not up to this crate. glibc's allocator keeps much of what a flood leaves until
//! `malloc_trim` is called, which needs a line of unsafe code. In the example `give_back`, 2 million flows have
//! expired and each hundredth lives on: the table's account falls from 628 MiB to 5, the resident size from 566
//! MiB to 391, and to 86 after `malloc_trim(0)`. [`InsertError::OutOfMemory`](flow_table_api::InsertError) is
//! never returned: the map aborts if there is no memory.
//!
//! # Performance and its limits
//!
//! See [`FlowTable`] for the costs. These limit the design: a look-up writes to memory four times (it takes and
//! releases the shard's lock and a reference); each hit reads at least three cache lines; an insertion with its
//! expiry changes the map twice and a heap twice. Growing copies a whole shard or queue at once, which delays
//! insertions into it. A burst saves nothing, because it counts references, too.

#![cfg_attr(docsrs, feature(doc_cfg))]
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
