//! A flow table over a [`DashMap`](https://docs.rs/dashmap) of weak references and per-thread priority queues.
//!
//! One of the backends of [`flow_table_api::Table`]. The map leads from keys to *weak* references; the queue of the thread
//! that inserted a flow holds the *strong* one, filed by deadline. When a flow times out its queue lets go of it; when the
//! last packet that holds it does too, its memory is free. The design is what dataplanes commonly start with; this crate does
//! it honestly, in safe code, as a baseline for others.
//!
//! # Overview
//!
//! * [`FlowTable`]: the table, with what it costs. It needs keys that are `Clone`: the map keeps a copy.
//! * [`FlowHandle`], [`WeakFlowHandle`], [`FlowRecord`], [`FlowBurst`]: handles, flows and bursts; all they can do is in the
//!   traits of [`flow_table_api`], which is re-exported whole.
//!
//! # Example: packets
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use flow_table_dashmap::FlowTable;
//! use flow_table_dashmap::flow_table_api::{Flow, FlowKey, NewFlow, Table, Timestamp};
//!
//! let table = FlowTable::<FlowKey, AtomicU64>::new(1_000_000);
//! let key: FlowKey = "udp 10.0.0.1:5353 > 10.0.0.2:53".parse()?;
//! for second in 0..3 {
//!     let now = Timestamp::from_secs(second);
//!     let admission = table.get_or_insert_with(&key, now, || NewFlow::new(key, AtomicU64::new(0)))?;
//!     admission.flow().value().fetch_add(1, Ordering::Relaxed);
//!     assert!(admission.flow().refresh(now));
//! }
//! assert_eq!(table.lookup(&key, Timestamp::from_secs(3)).map(|flow| flow.value().load(Ordering::Relaxed)), Some(3));
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
//! # Consistency
//!
//! Look-ups use the map alone. Insertions, reinsertions and removals of a key come one after the other, and take
//! effect at one moment: when the flow's status changes. A look-up takes its shard's lock shared, and waits for no
//! other look-up. One that comes upon a flow which is not live looks again until no writer of that key, or of one
//! that shares its stripe, has been at work meanwhile, so it never sees a key between two owners; it keeps no
//! writer waiting. One that finds a flow due is itself a writer while it expires it. Here a look-up may wait for
//! another: for one that is just expiring a flow, or for a writer that waits for a look-up on another thread to
//! leave the shard.
//!
//! Slots and queue entries have names of their own, new with every insertion. Nothing is ever removed by key, so nothing
//! that is late can hit a flow that has taken another's place. Keys are compared before an insertion changes anything;
//! what follows calls nothing of the user's. So a key that panics leaves everything as it was.
//!
//! What is dropped in a row, keys and values, is dropped one by one, so that each may panic; the first panic goes
//! on at the end. A value's drop may use the table, and so let other flows go. Where 32 such drops are nested on a
//! thread, the next flow is put off, and dropped before the outermost of them returns.
//!
//! # Time and expiry
//!
//! A refresh changes the flow's deadline and not the queue; when the flow comes up there, it is filed again. A
//! deadline that is brought forward is filed at once. Flows that are cancelled, or expired by a look-up, are noted
//! in a list that the next reap takes up first; a note about a flow that has been reinserted since takes of its
//! budget, as one that was rescheduled. With [`OnExpiry::KeepWhileReferenced`](flow_table_api::OnExpiry) a flow
//! that an open burst has borrowed counts as held, and so does one that a look-up on another thread is just
//! looking at.
//!
//! A thread that inserts for the first time gets a queue. When it ends, the queue stays with the table, where
//! [`reap`](flow_table_api::Table::reap) finds it, and passes to the next new thread. More than 4,096 threads that
//! insert at once share the first one. A reinserted flow goes back to the queue that it was in.
//!
//! # Memory
//!
//! Whoever drops the last reference to a flow removes its slots, so none is ever dead for longer than that takes.
//! A flow that a reap or an insertion has handed over keeps its slots until then too, found or not:
//! [`ReapReport::dead`](flow_table_api::ReapReport) and [`Stats::dead_slots`](flow_table_api::Stats) are always
//! zero. When less than half of the slots or of the queue entries are left that there were, a reap gives the rest
//! back, shard by shard and queue by queue; each is locked for the time that copying what is left of it takes.
//!
//! Flows are single allocations, and go back to the program's allocator. Whether that returns them to the system is up to
//! it: glibc's keeps much of what a flood leaves until `malloc_trim` is called, which needs a line of unsafe code that this
//! crate does not contain. [`InsertError::OutOfMemory`](flow_table_api::InsertError) is never returned: the map aborts
//! if there is no memory.
//!
//! # Performance and its limits
//!
//! See [`FlowTable`] for the costs. What bounds this design: a look-up writes to memory four times (the shard's lock
//! and the reference count, both taken and given back), each hit reads three cache lines at least, and an insertion with its
//! expiry makes two changes to the map and two to a binary heap. Growing copies a whole shard or queue at once, which
//! delays whoever inserts into it then. A burst saves nothing: it counts references like anyone else.

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
