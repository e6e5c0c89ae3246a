//! Flows to insert, and results of insertions, on their way between the outer and the inner table.

use flow_table_api::{Admission, InsertError, Inserted, NewFlow, NewFlowParts, ReinsertError};

use super::{Tracked, TrackedRef};
use crate::ShardId;

/// The same flow with another value; its hashes are carried over.
fn with_value<K, V, W>(flow: NewFlow<K, V>, change: impl FnOnce(V) -> W) -> NewFlow<K, W> {
    let (hash, reply_hash) = (flow.hash(), flow.reply_hash());
    let NewFlowParts { key, reply, value, timeout, on_expiry } = flow.into_parts();
    let mut flow = NewFlow::from(NewFlowParts { key, reply, value: change(value), timeout, on_expiry });
    if let Some(hash) = hash {
        flow = flow.hashed(hash);
    }
    if let Some(hash) = reply_hash {
        flow = flow.reply_hashed(hash);
    }
    flow
}

pub fn to_inner<K, V>(flow: NewFlow<K, V>, shard: ShardId) -> NewFlow<K, Tracked<V>> {
    with_value(flow, |value| Tracked::new(shard, value))
}

pub fn from_inner<K, V>(flow: NewFlow<K, Tracked<V>>) -> NewFlow<K, V> {
    with_value(flow, Tracked::into_value)
}

pub fn inserted<R>(inserted: Inserted<R>) -> Inserted<TrackedRef<R>> {
    let mut outer = Inserted::new(TrackedRef::new(inserted.flow));
    outer.replaced = inserted.replaced.map(TrackedRef::new);
    outer
}

pub fn admission<K, V, R>(admission: Admission<K, Tracked<V>, R>) -> Admission<K, V, TrackedRef<R>> {
    match admission {
        Admission::Inserted(flow) => Admission::Inserted(TrackedRef::new(flow)),
        Admission::Existing { holder, key, rejected } => {
            Admission::Existing { holder: TrackedRef::new(holder), key, rejected: rejected.map(from_inner) }
        }
    }
}

pub fn insert_error<K, V, R>(error: InsertError<K, Tracked<V>, R>) -> InsertError<K, V, TrackedRef<R>> {
    match error {
        InsertError::Full { flow, capacity } => InsertError::Full { flow: from_inner(flow), capacity },
        InsertError::IdenticalKeys { flow } => InsertError::IdenticalKeys { flow: from_inner(flow) },
        InsertError::Conflict { flow, holder, key } => {
            InsertError::Conflict { flow: from_inner(flow), holder: TrackedRef::new(holder), key }
        }
        // `OutOfMemory`, and what a later version may add: the flow is what matters.
        other => InsertError::OutOfMemory { flow: from_inner(other.into_flow()) },
    }
}

pub fn reinsert_error<R>(error: ReinsertError<R>) -> ReinsertError<TrackedRef<R>> {
    match error {
        ReinsertError::Foreign(foreign) => ReinsertError::Foreign(foreign),
        ReinsertError::Active => ReinsertError::Active,
        ReinsertError::Cancelled => ReinsertError::Cancelled,
        ReinsertError::Full { capacity } => ReinsertError::Full { capacity },
        ReinsertError::Conflict { holder, key } => {
            ReinsertError::Conflict { holder: TrackedRef::new(holder), key }
        }
        _ => ReinsertError::OutOfMemory,
    }
}
