//! The contract of a flow table: traits and shared types, without an implementation.
//!
//! A packet dataplane keeps one record for each conversation: a *flow*. It looks the flow up for every packet,
//! shares it by reference count with the packets in flight, and lets it expire when no packet refreshes it.
//! Backends implement [`Table`]: `flow-table-dashmap` and `flow-table-custom` are two. `flow-table-conformance`
//! tests any backend against the contract. The rules of the contract are cited by number (*contract L2*) at the
//! items to which they apply.
//!
//! # Overview
//!
//! * [`Table`]: look-up, insertion, deadlines, reaping, capacity.
//! * [`Flow`]: the keys, value, status and deadline of a flow, and [`refresh`](Flow::refresh).
//! * [`FlowRef`] and [`WeakFlowRef`]: handles that count a reference, and references that do not keep the value
//!   alive.
//! * [`Burst`]: look-ups that borrow flows, without counting references, while a burst of packets is processed.
//! * [`KeyForm`]: whatever a key may be looked up by. [`KeyHash`]: a hash that is computed once and carried.
//! * [`NewFlow`]: a flow to insert, and [`FlowSpec`]: the same without its value. [`FlowKey`] is a ready
//!   5-tuple key; any [`Key`] can be used.
//! * [`Timestamp`], [`Timeout`] and the clocks.
//!
//! # Example
//!
//! ```
//! use flow_table_api::{Flow, FlowSpec, Table, Timestamp};
//!
//! /// Counts a packet: finds its flow or makes one, and refreshes it.
//! fn packet<T: Table<u32, &'static str>>(table: &T, key: u32, now: Timestamp) -> bool {
//!     let found = table.get_or_insert_with(FlowSpec::new(key), now, || "new");
//!     found.is_ok_and(|admission| admission.flow().refresh(now))
//! }
//! ```
//!
//! # Consistency
//!
//! Operations on one key are linearizable (contract X1). Operations on several keys, such as iteration and
//! statistics, are not atomic as a whole, except that the two keys of a flow appear and disappear together
//! (contract I4). A flow that a look-up returned may end the next moment; its [`Status`] then shows it.
//!
//! # Time and expiry
//!
//! The table never reads a clock (contract T1). Callers pass the time. A flow whose deadline has passed expires
//! when a look-up, an insertion or a reap meets it. Clock jumps never expire a flow before its deadline and
//! never hide a live one. A refresh is one atomic operation on the flow; the timer queues follow later.
//!
//! # Writing a backend
//!
//! Implement [`Table`] and its associated types. The module [`state`] has the status and deadline word that all
//! backends share. Then run the conformance suite.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod alarm;
mod burst;
mod clock;
mod config;
mod dump;
mod error;
mod flow;
mod handle;
mod hash;
mod key;
mod key_view;
mod outcome;
mod reap;
#[cfg(feature = "serde")]
mod serialize;
pub mod state;
mod stats;
mod status;
mod sync;
mod table;
mod time;
mod timeout;
#[cfg(flow_table_tsan)]
#[doc(hidden)]
pub mod tsan;

pub use alarm::Alarm;
pub use burst::Burst;
pub use clock::{Clock, ManualClock, MonotonicClock};
pub use config::TableConfig;
pub use dump::Dump;
pub use equivalent::Equivalent;
pub use error::{ForeignFlow, InsertError, ReinsertError};
pub use flow::{Borrowed, Flow, FlowSpec, Key, KeyForm, NewFlow, NewFlowParts, Value};
pub use handle::{FlowRef, WeakFlowRef};
pub use hash::{KeyHash, KeyHasher};
pub use key::{FlowKey, FlowKeyError, Tenant};
pub use key_view::FlowKeyView;
pub use outcome::{Admission, Inserted};
pub use reap::{Answer, Budget, Ended, FinalRecord, ReapReport};
pub use stats::{EndCounts, Stats};
pub use status::{Direction, EndReason, NotLive, OnExpiry, Status};
pub use table::{AdmissionOf, AdmissionResultOf, InsertErrorOf, Table};
pub use time::Timestamp;
pub use timeout::Timeout;
