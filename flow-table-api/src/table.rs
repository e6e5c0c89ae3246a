use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;

use std::task::{Poll, Waker};

use crate::alarm::Registration;
use crate::sync::{Ordering, fence};
use crate::{
    Admission, Alarm, Answer, Budget, Burst, Direction, Dump, EndReason, Ended, FinalRecord, Flow, FlowRef,
    FlowSpec, ForeignFlow, InsertError, Inserted, Key, KeyForm, KeyHash, NewFlow, ReapReport, ReinsertError,
    Stats, TableConfig, Timestamp, Value,
};

/// The error of an insertion into `T`.
pub type InsertErrorOf<K, V, T> = InsertError<K, V, <T as Table<K, V>>::Ref>;
/// The result of a conditional insertion into `T`.
pub type AdmissionOf<K, V, T> = Admission<K, V, <T as Table<K, V>>::Ref>;

/// The result of a conditional insertion into `T`, if it may be refused.
pub type AdmissionResultOf<K, V, T> = Result<AdmissionOf<K, V, T>, InsertErrorOf<K, V, T>>;

/// A flow table. Every backend implements this trait, so that code written over it runs with any of them.
///
/// All methods take `&self` and may be called from any thread; they need no async runtime (contract X2).
/// Insertion, look-up, removal, cancellation and expiry are linearizable per key (contract X1). Handles,
/// snapshots and bursts hold no lock, so keeping any number of them blocks nothing (contract V3). The table
/// holds no lock while it runs user code, except `Hash` and `Eq` of keys. If user code panics, the table stays
/// consistent and usable, and nothing leaks (contract V4).
///
/// A flow is *live* at `now` if it is `Active` and `now < deadline` (contract T3). `now` may differ between
/// threads and may step back. Clock jumps never expire a flow before its deadline and never hide a live one
/// (contract T2).
///
/// A backend provides the required methods. The others are written over them.
pub trait Table<K: Key, V: Value>: Send + Sync + Sized {
    /// The type of a flow, as handles and bursts show it.
    type Flow: Flow<K, V>;
    /// The handle.
    type Ref: FlowRef<K, V, Flow = Self::Flow>;
    /// An open burst.
    type Burst<'t>: Burst<K, V, Flow = Self::Flow, Ref = Self::Ref>
    where
        Self: 't;

    /// Makes an empty table.
    fn with_config(config: TableConfig) -> Self;

    /// Makes an empty table that passes a final record of each flow to `record` (contract R7).
    ///
    /// A flow's record is made when the table, every handle and every burst have let go of it: nobody can find it
    /// any more or change its value. Its keys and value move into the record instead of being dropped. Every flow
    /// that was in the table has one record, whatever ended it, also if that is the end of the table. A flow that
    /// was put back has one at its last end. So counts that packets make while their flow ends are in it, and none
    /// is in two.
    ///
    /// A flow that nobody holds when a reap meets it is recorded in that reap. Others are recorded where they are
    /// let go: `record` runs in place of the value's drop, with all that is said of it. It runs under no lock of
    /// the table, may use the table, and should be short, as the thread may be processing packets: send the record
    /// to another thread, for example. It must not panic; a panic continues in whoever let go, and loses no other
    /// record.
    ///
    /// In such a table a [`reap`](Self::reap) is enough. [`reap_with`](Self::reap_with) hands over flows as usual,
    /// before they are recorded.
    fn with_records(config: TableConfig, record: impl Fn(FinalRecord<K, V>) + Send + Sync + 'static) -> Self;

    /// Makes an empty table for at most `capacity` flows, otherwise with the defaults of [`TableConfig`].
    fn new(capacity: usize) -> Self {
        Self::with_config(TableConfig::new(capacity))
    }

    // ---- Look-up -------------------------------------------------------------------------------------------

    /// Returns the live flow under `key`, which may be its forward or its reply key (contract L1). The key may
    /// have any form that is equivalent to it (contract L7).
    ///
    /// If the deadline of the flow has passed at `now`, the look-up expires it, however late reaping is
    /// (contract L2). The next [`reap_with`](Self::reap_with) still hands it over. With
    /// [`OnExpiry::KeepWhileReferenced`](crate::OnExpiry) the look-up returns it, with status `Expired`, while
    /// there is a reference other than the table's. With [`OnExpiry::Remove`](crate::OnExpiry) the look-up does
    /// not find it (contract L3). So check [`is_live`](Flow::is_live) or the result of
    /// [`refresh`](Flow::refresh).
    ///
    /// Look-ups never clean up: the operation that lets a flow go removes its slots, and never a slot that a
    /// concurrent insertion has filled (contract L4).
    ///
    /// # Blocking
    ///
    /// A look-up never blocks another look-up (contract L6).
    #[inline]
    fn lookup<Q: KeyForm<K> + ?Sized>(&self, key: &Q, now: Timestamp) -> Option<Self::Ref> {
        self.lookup_hashed(key, self.hash(key), now)
    }

    /// As [`lookup`](Self::lookup), with the key's hash, which is not computed again (contract L8). With a wrong
    /// hash the look-up finds nothing, unless the flow was inserted with the same wrong hash.
    fn lookup_hashed<Q: KeyForm<K> + ?Sized>(&self, key: &Q, hash: KeyHash, now: Timestamp) -> Option<Self::Ref>;

    /// Returns `true` if a flow under `key` is live at `now`. Like [`lookup`](Self::lookup), it expires a flow
    /// whose deadline has passed.
    #[inline]
    fn contains_key<Q: KeyForm<K> + ?Sized>(&self, key: &Q, now: Timestamp) -> bool {
        self.lookup(key, now).is_some_and(|flow| flow.is_live(now))
    }

    /// Looks all `keys` up. `found` is cleared; it then holds one entry for each key, in the order of `keys`.
    /// Each entry is what [`lookup`](Self::lookup) would have returned at some moment during the call, not at
    /// the same moment for all keys (contract L5).
    #[inline]
    fn lookup_batch<Q: KeyForm<K>>(&self, keys: &[Q], now: Timestamp, found: &mut Vec<Option<Self::Ref>>) {
        found.clear();
        found.extend(keys.iter().map(|key| self.lookup(key, now)));
    }

    /// Returns the hash of a key in this table, to pass to look-ups and to an insertion
    /// ([`FlowSpec::hashed`]). It never changes during the life of the table.
    fn hash<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> KeyHash;

    /// Makes a hash for this table of one that the caller has, such as a network card's. [`KeyHash`] says what
    /// the caller then answers for.
    fn hash_of(&self, external: u64) -> KeyHash;

    /// Opens a burst at `now`. Look-ups within it borrow flows and count no reference (contract U1). An open
    /// burst blocks no operation (contract U2), and any number may be open (contract U3).
    fn burst(&self, now: Timestamp) -> Self::Burst<'_>;

    // ---- Insertion -----------------------------------------------------------------------------------------

    /// Inserts `flow` with the deadline `now + timeout`. It replaces the flow under its forward key, live or
    /// not. A live one becomes `Detached` and is returned (contract I1). If there is no other reference to the
    /// old flow and no burst is open, its value is dropped before this call returns, or with the returned
    /// handle.
    ///
    /// A flow that is replaced loses both of its keys. A reply key is never taken from another live flow: that
    /// is a conflict, and neither key is installed (contract I4). No look-up ever finds a two-key flow live by
    /// one key while it is not live by the other.
    ///
    /// # Errors
    ///
    /// [`Full`](InsertError::Full) if the table holds [`capacity`](Self::capacity) flows and none of them can
    /// make room. Replacing a live flow is always allowed. A flow makes room if a bounded search finds it
    /// cancelled, expired or due. It then gives up its place and waits for the next reap, which hands it over,
    /// so no record is lost. At most `capacity` flows wait in this way (contract C2); once there are that many,
    /// reap. The other errors are [`IdenticalKeys`](InsertError::IdenticalKeys),
    /// [`Conflict`](InsertError::Conflict) and [`OutOfMemory`](InsertError::OutOfMemory). Every error returns
    /// the flow.
    fn insert(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
    ) -> Result<Inserted<Self::Ref>, InsertErrorOf<K, V, Self>>;

    /// Inserts `flow` unless a live flow has one of its keys. It never displaces a live flow. If several
    /// threads race on one key, exactly one of them installs its flow. A flow that is no longer live never
    /// stands in the way, even if it is still referenced (contract I2).
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert), except that a conflict is not an error but [`Admission::Existing`].
    fn insert_if_absent(
        &self,
        flow: NewFlow<K, V>,
        now: Timestamp,
    ) -> Result<AdmissionOf<K, V, Self>, InsertErrorOf<K, V, Self>>;

    /// Returns the live flow under the forward key of `spec`, or inserts `spec` with the value that `make`
    /// returns, as [`insert_if_absent`](Self::insert_if_absent) does. This is the packet-miss path. `make` runs
    /// at most once, and under no lock of the table (contract I3). If another thread installs a flow under the
    /// key while `make` runs, the call returns that flow as the holder, and the flow with the value made in
    /// [`rejected`](Admission::Existing::rejected).
    ///
    /// # Errors
    ///
    /// As for [`insert_if_absent`](Self::insert_if_absent).
    #[inline]
    fn get_or_insert_with(
        &self,
        spec: FlowSpec<K>,
        now: Timestamp,
        make: impl FnOnce() -> V,
    ) -> Result<AdmissionOf<K, V, Self>, InsertErrorOf<K, V, Self>> {
        let Ok(result) = self.try_get_or_insert_with(spec, now, || Ok::<_, Infallible>(make()));
        result
    }

    /// As [`get_or_insert_with`](Self::get_or_insert_with), for a `make` that may fail: a NAT that finds no free
    /// port, for example. `make` runs at most once, and under no lock of the table.
    ///
    /// # Errors
    ///
    /// The outer error is that of `make`; nothing has been inserted then. The inner one is as for
    /// [`insert_if_absent`](Self::insert_if_absent).
    #[inline]
    fn try_get_or_insert_with<E>(
        &self,
        spec: FlowSpec<K>,
        now: Timestamp,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<AdmissionResultOf<K, V, Self>, E> {
        let hash = spec.hash().unwrap_or_else(|| self.hash(spec.key()));
        if let Some(holder) = self.lookup_hashed(spec.key(), hash, now).filter(|flow| flow.is_live(now)) {
            // Dropped here and not when the function returns: if one of these drops panicked then, the result
            // would leak.
            drop((spec, make));
            return Ok(Ok(Admission::Existing { holder, key: Direction::Forward, rejected: None }));
        }
        let value = make()?;
        Ok(self.insert_if_absent(spec.hashed(hash).value(value), now))
    }

    /// Makes a flow of this table that is not in it yet, and returns the only handle to it. The flow is
    /// `Detached`: look-ups do not find it, and it has no place ([`capacity`](Self::capacity) does not count it).
    /// [`reinsert`](Self::reinsert) puts it into the table. So flows can be linked to each other, by weak handles
    /// in their values, before any of them is found.
    ///
    /// A prepared flow that is dropped without having been in the table leaves no
    /// [final record](Self::with_records).
    ///
    /// # Errors
    ///
    /// [`IdenticalKeys`](InsertError::IdenticalKeys), [`OutOfMemory`](InsertError::OutOfMemory).
    fn prepare(&self, flow: NewFlow<K, V>) -> Result<Self::Ref, InsertErrorOf<K, V, Self>>;

    /// Puts an expired or detached flow of this table back into it, with the deadline `now + timeout` (contract
    /// I5), or one that was only [prepared](Self::prepare) so far. It never displaces a live flow.
    ///
    /// Returns another handle to the same flow.
    ///
    /// # Errors
    ///
    /// [`Foreign`](ReinsertError::Foreign), [`Active`](ReinsertError::Active),
    /// [`Cancelled`](ReinsertError::Cancelled), [`Full`](ReinsertError::Full),
    /// [`Conflict`](ReinsertError::Conflict), [`OutOfMemory`](ReinsertError::OutOfMemory).
    fn reinsert(&self, flow: &Self::Ref, now: Timestamp) -> Result<Self::Ref, ReinsertError<Self::Ref>>;

    // ---- Ending a flow early -------------------------------------------------------------------------------

    /// Removes and returns the active flow under `key`, which may be its forward or its reply key: `Active` →
    /// `Detached`. The table gives up its reference at once, on whichever thread this runs (contract E2). The
    /// deadline of the flow does not matter.
    ///
    /// If the flow under `key` has ended, look-ups no longer find it by this key. Its status does not change,
    /// and the call returns `None`.
    #[must_use = "this is the only hand-over of the removed flow's record"]
    fn remove<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> Option<Self::Ref>;

    /// Removes exactly this flow, of which the caller has a handle or which a burst has borrowed: `Active` →
    /// `Detached`. Returns `true` if this call removed it, `false` if it was not active (contract E2).
    ///
    /// # Errors
    ///
    /// [`ForeignFlow`] if the flow belongs to another table (contract V5).
    fn remove_flow(&self, flow: &Self::Flow) -> Result<bool, ForeignFlow>;

    /// As [`remove_flow`](Self::remove_flow), but the end is counted as an eviction. [`evict`](Self::evict) is
    /// written over it.
    ///
    /// # Errors
    ///
    /// [`ForeignFlow`] if the flow belongs to another table (contract V5).
    fn evict_flow(&self, flow: &Self::Flow) -> Result<bool, ForeignFlow>;

    /// Makes room in a full table by ending a live flow, for those who would rather lose an old flow than refuse a
    /// new one (contract C6). It looks at up to `looks` active flows, and removes the one of the lowest rank.
    /// Flows for which `rank` returns `None` stay. Each call looks at other flows than the one before.
    ///
    /// Returns the flow, which is now `Detached`, with [`EndReason::Evicted`]. Returns `None` if no flow had a
    /// rank, or if that flow ended by itself at the same moment: then there may be room already.
    ///
    /// No table does this by itself. Call it when an insertion was refused because the table is
    /// [full](InsertError::Full), and try the insertion again. Another thread may take the place first. (The Linux
    /// connection tracking drops early what it has not seen a reply to, in the same way.)
    ///
    /// ```
    /// use flow_table_api::{Flow, InsertError, InsertErrorOf, NewFlow, Table, Timestamp};
    ///
    /// /// Inserts a flow; a full table gives up the flow that has counted the fewest packets among sixteen.
    /// fn admit<T: Table<u32, u64>>(
    ///     table: &T,
    ///     mut flow: NewFlow<u32, u64>,
    ///     now: Timestamp,
    /// ) -> Result<(), InsertErrorOf<u32, u64, T>> {
    ///     for _ in 0..3 {
    ///         match table.insert_if_absent(flow, now) {
    ///             Err(InsertError::Full { flow: refused, capacity: _ }) => flow = refused,
    ///             other => return other.map(drop),
    ///         }
    ///         let Some(_ended) = table.evict(16, |flow| Some(*flow.value())) else { break };
    ///     }
    ///     table.insert_if_absent(flow, now).map(drop)
    /// }
    /// ```
    ///
    /// # Complexity
    ///
    /// O(`looks`) in a table that is full, besides a list of the pages, or queues, to look at.
    #[must_use = "this is the only hand-over of the evicted flow's record"]
    fn evict<R: Ord>(
        &self,
        looks: usize,
        mut rank: impl FnMut(&Self::Ref) -> Option<R>,
    ) -> Option<Ended<Self::Ref>> {
        let mut lowest: Option<(R, Self::Ref)> = None;
        self.sample(looks, |flow| {
            if let Some(rank) = rank(flow)
                && lowest.as_ref().is_none_or(|(least, _)| rank < *least)
            {
                lowest = Some((rank, flow.clone()));
            }
        });
        let (_, flow) = lowest?;
        let evicted = self.evict_flow(&flow) == Ok(true);
        evicted.then_some(Ended { flow, reason: EndReason::Evicted })
    }

    // ---- Iteration -----------------------------------------------------------------------------------------

    /// Calls `visit` for the active flows. Each flow that is active during the whole call is visited exactly
    /// once, also if it has two keys (contract E3). No lock is held while `visit` runs, so it may use the
    /// table, end flows and drop handles.
    fn for_each(&self, mut visit: impl FnMut(&Self::Ref)) {
        let _: ControlFlow<Infallible> = self.try_for_each(|flow| {
            visit(flow);
            ControlFlow::Continue(())
        });
    }

    /// As [`for_each`](Self::for_each), and ends as soon as `visit` breaks. Returns what it broke with.
    fn try_for_each<R>(&self, visit: impl FnMut(&Self::Ref) -> ControlFlow<R>) -> ControlFlow<R>;

    /// Calls `visit` for up to `flows` active flows, each at most once. The next call goes on with others, so that
    /// many calls visit all flows about equally often. What [`for_each`](Self::for_each) says of `visit` holds
    /// here, too.
    ///
    /// # Complexity
    ///
    /// O(`flows`), and more if the table is nearly empty, but bounded.
    fn sample(&self, flows: usize, visit: impl FnMut(&Self::Ref));

    /// Lists the active flows for which `filter` returns `true`, in the order of their keys, for people to read:
    /// the list is displayed with one line for each flow. It holds a handle to each, and keeps nobody waiting.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    ///
    /// use flow_table_api::{Flow, FlowKey, Table};
    ///
    /// /// What `show flows` of a program prints.
    /// fn show<T: Table<FlowKey, u64>>(table: &T) -> String {
    ///     table.dump(|flow| *flow.value() > 0).to_string()
    /// }
    /// ```
    fn dump(&self, mut filter: impl FnMut(&Self::Ref) -> bool) -> Dump<K, V, Self::Ref>
    where
        K: Ord + fmt::Display,
        V: fmt::Debug,
    {
        let mut flows = Vec::new();
        self.for_each(|flow| {
            if filter(flow) {
                flows.push(flow.clone());
            }
        });
        Dump::new(flows)
    }

    /// Returns handles to the active flows, as [`for_each`](Self::for_each) visits them.
    fn snapshot(&self) -> Vec<Self::Ref> {
        let mut flows = Vec::with_capacity(self.len());
        self.for_each(|flow| flows.push(flow.clone()));
        flows
    }

    /// Removes the active flows for which `keep` returns `false`, and returns their number (contract E3).
    fn retain(&self, mut keep: impl FnMut(&Self::Ref) -> bool) -> usize {
        let mut removed = 0;
        self.for_each(|flow| {
            if !keep(flow) && self.remove_flow(flow) == Ok(true) {
                removed += 1;
            }
        });
        removed
    }

    /// Removes all active flows, and returns their number. Flows that are inserted during the call may stay.
    fn clear(&self) -> usize {
        self.retain(|_| false)
    }

    // ---- Reaping -------------------------------------------------------------------------------------------

    /// Removes the flows that are due, expired or cancelled from the table and passes each of them to `ended`.
    /// It visits at most `budget` flows (contract R1), whichever thread inserted them, also a thread that has
    /// ended (contract R2). Each flow that expired or was cancelled is passed to `ended` exactly once, also if
    /// a look-up expired it or if it made room for an insertion (contract R4). Removed and replaced flows are
    /// not passed: the operation that removed or replaced them has returned them.
    ///
    /// A reap works by identity: it never removes a flow that has taken the place of another (contract R3). It
    /// does not depend on traffic: one call after a silent hour collects everything that is due (contract R5).
    ///
    /// If `ended` panics, the flow that was passed to it counts as handed over, and the others wait for the
    /// next call (contract V4).
    ///
    /// # Complexity
    ///
    /// O(1) if nothing is due, whatever the size of the table. A backend may use a call to make memory ready for
    /// later insertions: a fixed amount, which may take a fraction of a millisecond.
    fn reap_with(&self, now: Timestamp, budget: Budget, ended: impl FnMut(Ended<Self::Ref>)) -> ReapReport;

    /// As [`reap_with`](Self::reap_with), for this thread's share of the flows only. It is for workers that
    /// reap between bursts (contract R2). Only `reap_with` reaps the shares of threads that have ended.
    fn reap_local_with(&self, now: Timestamp, budget: Budget, ended: impl FnMut(Ended<Self::Ref>)) -> ReapReport;

    /// As [`reap_with`](Self::reap_with), but asks before it ends a flow whose deadline has passed: `ask` may keep
    /// it ([`Answer`]). It also asks about live flows, at least once in each
    /// [active timeout](crate::TableConfig::active_timeout) of the table, and at the times for which `ask` has
    /// wished (contract R8). So programs keep flows by rules of their own, and record long flows while they live.
    ///
    /// It may ask earlier and more often. So `ask` finds out by itself whether it is time for a record: the value
    /// has the time of the next one, and `ask` [asks for it again](Answer::AskAgain). Reaps ask about a flow one
    /// at a time, and not at all once it has ended. `ask` runs under no lock; it may use the table, and end the
    /// flow. If it panics, the flow it was asked about and the others wait for the next reap (contract V4).
    ///
    /// Only this call asks. Another reap, a look-up, and an insertion that looks for room, end a flow whose
    /// deadline has passed by the time that they are given. To be asked before, call this with a `now` that is a
    /// little ahead. Another reap that meets a live flow puts the next question off by the active timeout, or
    /// until the deadline if the table has none. Insertions put none off; so while many live flows wait for a
    /// question, a full table may refuse although others behind them are due.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// use flow_table_api::{Answer, Budget, Flow, Table, Timestamp};
    ///
    /// /// A flow that lives for long is recorded every minute; the value is the time of its next record.
    /// fn export<T: Table<u32, AtomicU64>>(table: &T, now: Timestamp, mut record: impl FnMut(&T::Flow)) {
    ///     let ask = |flow: &T::Ref| {
    ///         let next = Timestamp::from_nanos(flow.value().load(Ordering::Relaxed));
    ///         if !flow.is_live(now) {
    ///             return Answer::Proceed;
    ///         }
    ///         if now < next {
    ///             return Answer::AskAgain(next);
    ///         }
    ///         // record(flow);
    ///         let next = now + std::time::Duration::from_secs(60);
    ///         flow.value().store(next.as_nanos(), Ordering::Relaxed);
    ///         Answer::AskAgain(next)
    ///     };
    ///     table.reap_asking(now, Budget::UNLIMITED, ask, |ended| record(&ended.flow));
    /// }
    /// ```
    ///
    /// # Complexity
    ///
    /// O(1) if there is nothing to ask and nothing due. A flow that it asks about takes of the budget, and is
    /// counted in [`rescheduled`](ReapReport::rescheduled) unless it ends.
    fn reap_asking(
        &self,
        now: Timestamp,
        budget: Budget,
        ask: impl FnMut(&Self::Ref) -> Answer,
        ended: impl FnMut(Ended<Self::Ref>),
    ) -> ReapReport;

    /// As [`reap_with`](Self::reap_with), and drops the flows that have ended.
    fn reap(&self, now: Timestamp, budget: Budget) -> ReapReport {
        self.reap_with(now, budget, drop)
    }

    /// As [`reap_local_with`](Self::reap_local_with), and drops the flows that have ended.
    fn reap_local(&self, now: Timestamp, budget: Budget) -> ReapReport {
        self.reap_local_with(now, budget, drop)
    }

    /// Returns a time before which a reap finds nothing to do: `None` if the table holds nothing, and
    /// [`Timestamp::ZERO`] if a flow that has ended is waiting already (contract R6). The time may be too
    /// early, because refreshes do not move it.
    fn next_deadline(&self) -> Option<Timestamp>;

    /// Tells an event loop that there is work for a reap before `time`: [`Ready`](Poll::Ready) if there is some
    /// already, as [`next_deadline`](Self::next_deadline) says; otherwise `waker` is woken, once, as soon as there
    /// is. That comes from an insertion, a reinsertion, a cancellation, or a deadline that is brought forward, on
    /// any thread, and the waker is woken by that thread, under no lock of the table.
    ///
    /// So an event loop reaps, sleeps until the next deadline, and polls this with that time while it sleeps. Of
    /// two registrations of one waker, that for the later time stays; so use one waker for each loop. A waker that
    /// panics does so out of the operation that brought the work, which has taken effect. [`std::task::Wake`]
    /// makes wakers of anything: an `eventfd`, or a thread to unpark.
    ///
    /// Look-ups do not wake: a flow that a look-up expires was due anyway.
    fn poll_work(&self, time: Timestamp, waker: &Waker) -> Poll<()> {
        poll(self, time, || self.alarm().set(time, waker))
    }

    /// As [`poll_work`](Self::poll_work), for `async` code: completes when there is work before `time`.
    fn work_before(&self, time: Timestamp) -> impl Future<Output = ()> + Send {
        let mut registered = Registration::default();
        poll_fn(move |context| poll(self, time, || self.alarm().sleep(&mut registered, time, context.waker())))
    }

    /// For [`poll_work`](Self::poll_work): where the table's sleepers are registered.
    fn alarm(&self) -> &Alarm;

    // ---- Capacity and memory -------------------------------------------------------------------------------

    /// Returns the number of flows that have a place in the table: the active ones, and those that have ended
    /// but have neither been reaped nor made room for others. ([`Stats::dying`] counts the flows that made
    /// room.) Concurrent insertions never bring it above [`capacity`](Self::capacity) (contract C1). O(1).
    fn len(&self) -> usize;

    /// Returns `true` if no flow has a place in the table.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of flows that may have a place in the table at most.
    fn capacity(&self) -> usize;

    /// Sets the capacity (contract C1). Lowering it below [`len`](Self::len) evicts nothing. Until enough flows
    /// have gone, an insertion needs room for the whole excess as well as for its own flow, and is refused
    /// otherwise.
    fn set_capacity(&self, flows: usize);

    /// Returns the table's counters (contract C5). It is cheap, but not meant to be called for every packet.
    fn stats(&self) -> Stats;

    /// Returns the memory that the table occupies now, in bytes: slots, queues and the flows themselves, but
    /// not what keys and values own elsewhere.
    fn memory(&self) -> usize;

    /// Gives unused memory back to the system as far as possible. Reaping does so by itself when much of the table
    /// has become unused (contract C3), whatever pattern the flows that live on have in memory (contract C3a).
    fn shrink_to_fit(&self);
}

/// Returns whether there is work before `time`. If there is none, registers, and looks again.
fn poll<K: Key, V: Value>(table: &impl Table<K, V>, time: Timestamp, register: impl FnOnce()) -> Poll<()> {
    let is_there = || table.next_deadline().is_some_and(|next| next < time);
    if is_there() {
        return Poll::Ready(());
    }
    register();
    // Between the registration and the look at the deadline: see `Alarm`.
    fence(Ordering::SeqCst);
    if is_there() { Poll::Ready(()) } else { Poll::Pending }
}
