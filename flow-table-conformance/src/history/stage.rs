use std::sync::PoisonError;

use flow_table_api::{Budget, Stats, Table, Timestamp};

use super::lane::{BEGINNING, Lane, play};
use super::{Event, History, Recorder, Seed};
use crate::actor::Actor;
use crate::fixture::Ledger;
use crate::model::{FlowId, Op, Spec};
use crate::random::Draft;
use crate::sync::{Mutex, MutexGuard};
use crate::{Backend, TestRef, TestTable};

/// A history that is being recorded. Each of its threads calls [`play`](Self::play), and then one thread calls
/// [`end`](Self::end).
pub struct Stage<B: Backend> {
    seed: Seed,
    ledger: Ledger,
    recorder: Recorder,
    /// What was done before the threads began, and what each of them did.
    lanes: Mutex<Vec<Lane<B>>>,
    /// For each thread that has not begun, handles to the flows that were there before.
    shares: Mutex<Vec<Vec<TestRef<B>>>>,
}

impl<B: Backend> Stage<B> {
    /// Makes a stage for this seed, which says what the threads do.
    pub fn new(seed: Seed) -> Self {
        Self {
            seed,
            ledger: Ledger::default(),
            recorder: Recorder::default(),
            lanes: Mutex::default(),
            shares: Mutex::default(),
        }
    }

    /// A table for it, always the same one, in which it has [begun](Self::begin).
    pub fn table(&self) -> TestTable<B> {
        let config = self.seed.setup().config(self.seed.profile().capacity());
        let table = TestTable::<B>::with_config(config.hash_seed(self.seed.hash_seed()));
        self.begin(&table);
        table
    }

    /// Begins the history in an empty table: sets the limit, and inserts the flows that are there before the
    /// threads come.
    pub fn begin(&self, table: &TestTable<B>) {
        let (seed, mut actor) = (self.seed, Actor::<B>::new(table, self.ledger.clone()));
        let profile = seed.profile();
        table.set_capacity(seed.capacity());
        let mut events = Vec::new();
        for (number, draft) in seed.standing().into_iter().enumerate() {
            let Draft { key, reply, timeout, on_expiry } = draft;
            let id = FlowId(profile.threads * profile.steps + number);
            let op = Op::Insert { flow: Spec { id, key, reply, timeout, on_expiry }, now: BEGINNING };
            let (began, seen) = (self.recorder.tick(), actor.perform(op));
            events.push(Event { thread: profile.threads, op, seen, began, ended: self.recorder.tick() });
        }
        let shares = (0..profile.threads).map(|_| actor.handles.clone()).collect();
        *self.shares() = shares;
        self.lanes().push(Lane { events, handles: actor.handles });
    }

    fn shares(&self) -> MutexGuard<'_, Vec<Vec<TestRef<B>>>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lanes(&self) -> MutexGuard<'_, Vec<Lane<B>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes through the script of one thread, on this thread.
    pub fn play(&self, table: &TestTable<B>, thread: usize) {
        let standing = self.shares().pop().unwrap_or_default();
        let lane = play(table, &self.ledger, &self.recorder, thread, &self.seed.script(thread), standing);
        self.lanes().push(lane);
    }

    /// Ends the history, while nobody else uses the table: looks at what is there, reaps it all, and lets all
    /// handles go.
    ///
    /// `before` is what the table had counted when the history began.
    ///
    /// # Panics
    ///
    /// Panics if a value has not been dropped by then or was dropped twice, or if something else is not at rest.
    pub fn end(&self, table: &TestTable<B>, before: &Stats) -> History {
        let (mut actor, mut events) = (Actor::<B>::new(table, self.ledger.clone()), Vec::new());
        for lane in self.lanes().drain(..) {
            events.extend(lane.events);
            actor.handles.extend(lane.handles);
        }
        let profile = self.seed.profile();
        let standing = self.seed.standing().into_iter().map(|draft| draft.key);
        let looks =
            self.seed.keys().into_iter().chain(standing).map(|key| Op::Lookup { key, now: Timestamp::ZERO });
        let reap = Op::Reap { now: Timestamp::MAX, budget: usize::MAX, local: false };
        for op in looks.chain([Op::ForEach, reap]) {
            let (began, seen) = (self.recorder.tick(), actor.perform(op));
            events.push(Event { thread: profile.threads, op, seen, began, ended: self.recorder.tick() });
        }
        let mut end = actor.view();
        end.inserts -= before.inserts;
        end.refusals -= before.refusals;
        end.ended.expired -= before.ended.expired;
        end.ended.cancelled -= before.ended.cancelled;
        end.ended.removed -= before.ended.removed;
        end.ended.replaced -= before.ended.replaced;
        drop(actor);
        // What an empty table still keeps, though nobody holds it, has leaked.
        table.reap(Timestamp::MAX, Budget::UNLIMITED);
        let rest = table.stats();
        assert_eq!((rest.flows, rest.dying, rest.waiting), (0, 0, 0), "after a history, at rest: {rest:?}");
        let faults = self.ledger.faults();
        assert!(faults.is_empty(), "after a history, in an empty table: {}", faults.join(", "));
        History { events, capacity: self.seed.capacity(), end }
    }
}
