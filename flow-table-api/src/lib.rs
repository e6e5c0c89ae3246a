//! The contract of a flow table: traits and shared types, and no implementation.
//!
//! A packet dataplane keeps one record per conversation, a *flow*, looks it up for every packet, shares it by
//! reference count with the packets in flight, and lets it expire when no packet refreshes it. [`Table`] is
//! what a backend of such a table implements; the crates `flow-table-dashmap` and `flow-table-custom` do, and
//! `flow-table-conformance` proves it of any backend. Rules of the contract are cited by number (*contract L2*)
//! at the item that carries them.
//!
//! # Overview
//!
//! * [`Table`]: look-up, insertion, deadlines, reaping, capacity.
//! * [`Flow`]: what a handle gives access to: keys, value, status, deadline, [`refresh`](Flow::refresh).
//! * [`FlowRef`] and [`WeakFlowRef`]: counted handles, and references that do not keep the value alive.
//! * [`Burst`]: look-ups that borrow flows and count nothing, for as long as a burst of packets is handled.
//! * [`NewFlow`]: what is inserted, and [`FlowSpec`]: the same without its value. [`FlowKey`]: a ready 5-tuple
//!   key; any [`Key`] will do.
//! * [`Timestamp`], [`Timeout`], and the clocks.
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
//! Operations on one key are linearizable (contract X1); operations on several keys, such as iteration and
//! statistics, are not of one moment, except that the two keys of a flow appear and go together (contract I4).
//! A flow that a look-up returned may end the next moment: its [`Status`] says so.
//!
//! # Time and expiry
//!
//! The table never reads a clock (contract T1). A flow expires when its deadline has passed and somebody
//! notices: a look-up, an insertion, or a reap. Refreshing is one atomic operation on the flow; queues catch up
//! later.
//!
//! # Writing a backend
//!
//! Implement [`Table`] and its associated types; [`state`] holds the shared status and deadline word. Then run the
//! conformance suite.

#![forbid(unsafe_code)]

mod burst;
mod clock;
mod config;
mod error;
mod flow;
mod handle;
mod hash;
mod key;
mod outcome;
mod reap;
pub mod state;
mod stats;
mod status;
mod sync;
mod table;
mod time;
mod timeout;

pub use burst::Burst;
pub use clock::{Clock, ManualClock, MonotonicClock};
pub use config::TableConfig;
pub use error::{ForeignFlow, InsertError, ReinsertError, SetDeadlineError};
pub use flow::{Borrowed, Flow, FlowSpec, Key, NewFlow, NewFlowParts, Value};
pub use handle::{FlowRef, WeakFlowRef};
pub use hash::{KeyHash, KeyHasher};
pub use key::{FlowKey, FlowKeyError, Tenant};
pub use outcome::{Admission, Inserted};
pub use reap::{Budget, Ended, ReapReport};
pub use stats::{EndCounts, Stats};
pub use status::{Direction, EndReason, OnExpiry, Status};
pub use table::{AdmissionOf, InsertErrorOf, Table};
pub use time::Timestamp;
pub use timeout::Timeout;
