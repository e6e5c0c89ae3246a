use std::time::Duration;

use crate::{
    Admission, Budget, Burst, Direction, Ended, Flow, FlowRef, FlowSpec, ForeignFlow, InsertError, Inserted, Key,
    KeyHash, NewFlow, ReapReport, ReinsertError, SetDeadlineError, Stats, TableConfig, Timestamp, Value,
};

/// What an insertion into `T` refuses with.
pub type InsertErrorOf<K, V, T> = InsertError<K, V, <T as Table<K, V>>::Ref>;
/// What a conditional insertion into `T` gives.
pub type AdmissionOf<K, V, T> = Admission<K, V, <T as Table<K, V>>::Ref>;

/// A flow table: the interface that every backend implements and that hides which one is behind it.
///
/// Everything takes `&self` and may be called from any thread, with no async runtime (contract X2). Insert,
/// look-up, remove, cancel and expiry are linearizable per key (contract X1). Handles, snapshots and bursts
/// hold no lock: keeping any number of them blocks nothing (contract V3). No lock is held while user code runs,
/// `Hash` and `Eq` of keys excepted; if user code panics, the table stays consistent and usable and nothing
/// leaks (contract V4).
///
/// *Live* at `now` means `Active` and `now < deadline` (contract T3). `now` may differ between threads and may
/// step back: an older one is harmless (contract T2).
///
/// The required methods are what a backend provides; the others are written once over them.
pub trait Table<K: Key, V: Value>: Send + Sync + Sized {
    /// The flow: what handles and bursts give access to.
    type Flow: Flow<K, V>;
    /// The handle.
    type Ref: FlowRef<K, V, Flow = Self::Flow>;
    /// An open burst.
    type Burst<'t>: Burst<K, V, Flow = Self::Flow, Ref = Self::Ref>
    where
        Self: 't;

    /// An empty table.
    fn with_config(config: TableConfig) -> Self;

    /// An empty table for at most `capacity` flows, otherwise with the defaults of [`TableConfig`].
    fn new(capacity: usize) -> Self {
        Self::with_config(TableConfig::new(capacity))
    }

    // ---- Look-up -------------------------------------------------------------------------------------------

    /// The live flow under `key`, forward or reply (contract L1).
    ///
    /// A flow whose deadline has passed at `now` is expired on the spot, however late reaping is (contract L2);
    /// the next [`reap_with`](Self::reap_with) still hands it over. With
    /// [`OnExpiry::KeepWhileReferenced`](crate::OnExpiry) it is found, with status `Expired`, while anyone but
    /// the table holds it; with [`OnExpiry::Remove`](crate::OnExpiry) it is not found (contract L3). So look at
    /// [`is_live`](Flow::is_live) or at the result of [`refresh`](Flow::refresh).
    ///
    /// Never meets a dead slot: whoever lets a flow go takes its slots out, and never one that a concurrent
    /// insertion has filled (contract L4).
    ///
    /// # Blocking
    ///
    /// Never blocks another look-up (contract L6).
    fn lookup(&self, key: &K, now: Timestamp) -> Option<Self::Ref>;

    /// Looks all `keys` up: key for key what [`lookup`](Self::lookup) gives at one moment during the call, not the
    /// same moment for all (contract L5). `found` is cleared and then holds one entry for each key, in order.
    fn lookup_batch(&self, keys: &[K], now: Timestamp, found: &mut Vec<Option<Self::Ref>>) {
        found.clear();
        found.extend(keys.iter().map(|key| self.lookup(key, now)));
    }

    /// The hash of a key in this table, for insertions that are told it ([`FlowSpec::hashed`]). It stays the
    /// same for as long as the table lives.
    fn hash(&self, key: &K) -> KeyHash;

    /// Opens a burst at `now`: look-ups within it borrow flows and count no reference (contract U1). It blocks no
    /// operation of anyone (contract U2); any number may be open (contract U3).
    fn burst(&self, now: Timestamp) -> Self::Burst<'_>;

    // ---- Insertion -----------------------------------------------------------------------------------------

    /// Inserts `flow` with the deadline `now + timeout`. A flow under its forward key, live or not, is replaced: a
    /// live one becomes `Detached` and is returned (contract I1). If nobody else holds the old one and no burst is
    /// open, its value is dropped before this returns (or with the returned handle).
    ///
    /// A flow that is found by the forward key goes as a whole, with both of its keys. A reply key is never
    /// taken from another live flow: that is a conflict, and neither key is installed (contract I4). No
    /// observer ever finds one key of a two-key flow live without the other.
    ///
    /// # Errors
    ///
    /// [`Full`](InsertError::Full) if the table holds [`capacity`](Self::capacity) flows and none can make
    /// room; replacing is always allowed. A flow makes room if a bounded search finds it cancelled, expired or
    /// due: it gives up its place and waits for the next reap, which hands it over, so that no record is lost.
    /// At most `capacity` flows wait so (contract C2); when there are as many, reap.
    /// [`IdenticalKeys`](InsertError::IdenticalKeys), [`Conflict`](InsertError::Conflict),
    /// [`OutOfMemory`](InsertError::OutOfMemory). Each gives the flow back.
    fn insert(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
    ) -> Result<Inserted<Self::Ref>, InsertErrorOf<K, V, Self>>;

    /// Inserts `flow` unless a live flow holds one of its keys; never displaces a live flow. Of any number of
    /// threads racing on one key exactly one installs. A flow that is no longer live, even one still
    /// referenced, never blocks (contract I2).
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert), but a conflict is no error: it is [`Admission::Existing`].
    fn insert_if_absent(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
    ) -> Result<AdmissionOf<K, V, Self>, InsertErrorOf<K, V, Self>>;

    /// The packet-miss path: returns the live flow under the forward key of `spec`, or else inserts `spec` with
    /// the value that `make` returns, as [`insert_if_absent`](Self::insert_if_absent) does. `make` runs at most
    /// once, and under no lock of the table (contract I3). If another thread installs a flow while `make` runs,
    /// that one is the holder, and the flow with the value made comes back in
    /// [`rejected`](Admission::Existing::rejected).
    ///
    /// # Errors
    ///
    /// As [`insert_if_absent`](Self::insert_if_absent).
    fn get_or_insert_with(
        &self,
        spec: FlowSpec<K>,
        now: Timestamp,
        make: impl FnOnce() -> V,
    ) -> Result<AdmissionOf<K, V, Self>, InsertErrorOf<K, V, Self>> {
        if let Some(holder) = self.lookup(spec.key(), now).filter(|flow| flow.is_live(now)) {
            // Here, and not on the way out, where the result would leak if one of these drops panics.
            drop((spec, make));
            return Ok(Admission::Existing { holder, key: Direction::Forward, rejected: None });
        }
        let value = make();
        self.insert_if_absent(spec.value(value), now)
    }

    /// Puts an expired or detached flow of this table back, with the deadline `now + timeout` (contract I5). Never
    /// displaces a live flow.
    ///
    /// Returns another handle to the same flow.
    ///
    /// # Errors
    ///
    /// [`Foreign`](ReinsertError::Foreign), [`Active`](ReinsertError::Active),
    /// [`Cancelled`](ReinsertError::Cancelled), [`Full`](ReinsertError::Full),
    /// [`Conflict`](ReinsertError::Conflict), [`OutOfMemory`](ReinsertError::OutOfMemory).
    fn reinsert(&self, flow: &Self::Ref, now: Timestamp) -> Result<Self::Ref, ReinsertError<Self::Ref>>;

    // ---- Deadline ------------------------------------------------------------------------------------------

    /// Moves the deadline of an active flow, also to an earlier time: the table then expires it at that time,
    /// without waiting for the old one (contract D4). Later refreshes work as before.
    ///
    /// # Errors
    ///
    /// [`Foreign`](SetDeadlineError::Foreign), or [`NotLive`](SetDeadlineError::NotLive) if the flow has ended.
    fn set_deadline(&self, flow: &Self::Ref, deadline: Timestamp) -> Result<(), SetDeadlineError>;

    /// Changes the timeout and moves the deadline of a live flow to `now + timeout`, also to an earlier time:
    /// what a closing TCP connection needs (contract D4).
    ///
    /// # Errors
    ///
    /// [`Foreign`](SetDeadlineError::Foreign), with nothing changed, or [`NotLive`](SetDeadlineError::NotLive),
    /// with only the timeout changed, for a later [`reinsert`](Self::reinsert).
    fn set_timeout(&self, flow: &Self::Ref, timeout: Duration, now: Timestamp) -> Result<(), SetDeadlineError>;

    // ---- Ending a flow early -------------------------------------------------------------------------------

    /// Removes and returns the active flow under `key`, forward or reply: `Active` → `Detached`. The table's
    /// reference is released at once, from any thread (contract E2). The deadline does not matter.
    ///
    /// A flow under `key` that has ended is no longer found either; its status stays and `None` is returned.
    #[must_use = "this is the only hand-over of the removed flow's record"]
    fn remove(&self, key: &K) -> Option<Self::Ref>;

    /// Removes exactly this flow: `Active` → `Detached`. Returns `true` if this call removed it (contract E2).
    ///
    /// # Errors
    ///
    /// [`ForeignFlow`] if the handle belongs to another table (contract V5).
    fn remove_flow(&self, flow: &Self::Ref) -> Result<bool, ForeignFlow>;

    // ---- Iteration -----------------------------------------------------------------------------------------

    /// Calls `visit` for the active flows: each one that is in the table throughout exactly once, two-key flows
    /// included (contract E3). No lock is held while `visit` runs: it may use the table, end flows, drop handles.
    fn for_each(&self, visit: impl FnMut(&Self::Ref));

    /// Handles to the active flows, as visited by [`for_each`](Self::for_each).
    fn snapshot(&self) -> Vec<Self::Ref> {
        let mut flows = Vec::with_capacity(self.len());
        self.for_each(|flow| flows.push(flow.clone()));
        flows
    }

    /// Removes the active flows that `keep` refuses, and gives their number (contract E3).
    fn retain(&self, mut keep: impl FnMut(&Self::Ref) -> bool) -> usize {
        let mut removed = 0;
        self.for_each(|flow| {
            if !keep(flow) && self.remove_flow(flow) == Ok(true) {
                removed += 1;
            }
        });
        removed
    }

    // ---- Reaping -------------------------------------------------------------------------------------------

    /// Lets go of what is due or cancelled, whichever thread inserted it, ended threads included (contract R2),
    /// visiting at most `budget` flows (contract R1). `ended` gets each flow that expired or was cancelled,
    /// exactly once: also one that a look-up expired, and one that made room for an insertion (contract R4).
    /// Removed and replaced flows went to whoever removed or replaced them.
    ///
    /// Works by identity: never removes a flow that took another's place (contract R3). Nothing depends on
    /// traffic: one call after a silent hour collects everything due (contract R5).
    ///
    /// If `ended` panics, the flow given to it is gone and the rest waits for the next call (contract V4).
    ///
    /// # Complexity
    ///
    /// O(1) with nothing due, at any table size.
    fn reap_with(&self, now: Timestamp, budget: Budget, ended: impl FnMut(Ended<Self::Ref>)) -> ReapReport;

    /// [`reap_with`](Self::reap_with) for this thread's share, for workers that reap between bursts (contract
    /// R2). Shares of threads that have ended are only reaped by `reap_with`.
    fn reap_local_with(&self, now: Timestamp, budget: Budget, ended: impl FnMut(Ended<Self::Ref>)) -> ReapReport;

    /// [`reap_with`](Self::reap_with) that drops what ended.
    fn reap(&self, now: Timestamp, budget: Budget) -> ReapReport {
        self.reap_with(now, budget, drop)
    }

    /// [`reap_local_with`](Self::reap_local_with) that drops what ended.
    fn reap_local(&self, now: Timestamp, budget: Budget) -> ReapReport {
        self.reap_local_with(now, budget, drop)
    }

    /// A time before which a reap finds nothing to do; `None` if the table holds nothing, and
    /// [`Timestamp::ZERO`] if a flow that has ended waits already (contract R6). May be early, as refreshes do
    /// not move it.
    fn next_deadline(&self) -> Option<Timestamp>;

    // ---- Capacity and memory -------------------------------------------------------------------------------

    /// The flows that have a place in the table: the active ones, and those that have ended but have neither
    /// been reaped nor made room for others ([`Stats::dying`] counts these). O(1), and never above
    /// [`capacity`](Self::capacity), under any concurrency (contract C1).
    fn len(&self) -> usize;

    /// Whether no flow has a place in the table.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most flows that the table may hold.
    fn capacity(&self) -> usize;

    /// Sets the limit (contract C1). Lowering it below [`len`](Self::len) evicts nothing: insertions are
    /// refused until enough flows have gone.
    fn set_capacity(&self, flows: usize);

    /// Counters (contract C5). Cheap, but not meant for every packet.
    fn stats(&self) -> Stats;

    /// Bytes that the table occupies now: slots, queues, and the flows themselves, but not what keys and values
    /// own elsewhere.
    fn memory(&self) -> usize;

    /// Gives unused memory back as far as it can. Reaping does so by itself when much of the table has become
    /// unused (contract C3).
    fn shrink_to_fit(&self);
}
