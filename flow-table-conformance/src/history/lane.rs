use std::slice::Iter;

use flow_table_api::{Borrowed, Burst, Flow, Table, Timestamp};

use super::{Event, Recorder};
use crate::actor::{Actor, id_of};
use crate::backend::{OpenBurst, TestFlow};
use crate::fixture::{Ledger, TestKey, at, secs};
use crate::model::{FlowId, Op, Outcome, Sight, Spec};
use crate::random::{Draft, Step};
use crate::{Backend, TestRef, TestTable};

/// The time at which each thread begins.
pub const BEGINNING: Timestamp = at(10);

/// What one thread did, and the handles that it still holds.
pub struct Lane<B: Backend> {
    /// Its part of the history.
    pub events: Vec<Event>,
    /// A handle for each time that an operation returned one, without those dropped.
    pub handles: Vec<TestRef<B>>,
}

/// Runs a script on a table that other threads use, too, with handles to flows that were inserted before.
///
/// A handle that [`Step::Drop`] drops is not an event. It makes no difference for flows that look-ups do not find
/// after they have expired, and scripts drop no others.
pub fn play<B: Backend>(
    table: &TestTable<B>,
    ledger: &Ledger,
    recorder: &Recorder,
    thread: usize,
    script: &[Step],
    standing: Vec<TestRef<B>>,
) -> Lane<B> {
    let actor = Actor::<B> { handles: standing, ..Actor::new(table, ledger.clone()) };
    let mut player =
        Player { actor, recorder, thread, now: BEGINNING, events: Vec::new(), next: thread * script.len() };
    player.run(script.iter());
    Lane { events: player.events, handles: player.actor.handles }
}

struct Player<'t, B: Backend> {
    actor: Actor<'t, B>,
    recorder: &'t Recorder,
    thread: usize,
    now: Timestamp,
    events: Vec<Event>,
    /// The number of the next flow that this thread makes.
    next: usize,
}

/// The flows that an open burst has borrowed, with their numbers then.
type Borrows<'b, B> = Vec<(FlowId, Borrowed<'b, TestFlow<B>>)>;

impl<'t, B: Backend> Player<'t, B> {
    fn run(&mut self, mut steps: Iter<'_, Step>) {
        while let Some(step) = steps.next() {
            match step {
                Step::OpenBurst => {
                    let burst = self.actor.table.burst(self.now);
                    self.run_in_burst(&burst, &mut steps);
                }
                Step::BurstGet(key) => drop(self.borrow(&self.actor.table.burst(self.now), &[*key])),
                Step::BurstGetBatch(keys) => drop(self.borrow(&self.actor.table.burst(self.now), keys)),
                step => self.perform(step),
            }
        }
    }

    /// Steps until one closes the burst. What it has borrowed is there until then.
    fn run_in_burst(&mut self, burst: &OpenBurst<'t, B>, steps: &mut Iter<'_, Step>) {
        let mut borrows: Borrows<'_, B> = Vec::new();
        for step in steps {
            match step {
                Step::OpenBurst => {}
                Step::CloseBurst => break,
                Step::BurstGet(key) => borrows.extend(self.borrow(burst, &[*key])),
                Step::BurstGetBatch(keys) => borrows.extend(self.borrow(burst, keys)),
                step => self.perform(step),
            }
        }
        for (flow, borrowed) in borrows {
            assert_eq!(FlowId(borrowed.value().serial()), flow, "a borrowed flow became another one");
        }
    }

    fn borrow<'b>(&mut self, burst: &'b OpenBurst<'t, B>, keys: &[u64]) -> Borrows<'b, B> {
        let asked: Vec<_> = keys.iter().copied().map(TestKey::new).collect();
        let mut found = Vec::new();
        let began = self.recorder.tick();
        burst.get_batch(&asked, &mut found);
        let see = |flow: Borrowed<'b, TestFlow<B>>| Sight {
            flow: FlowId(flow.value().serial()),
            direction: flow.direction(),
            status: flow.status(),
        };
        let sights: Vec<_> = found.iter().map(|flow| flow.map(see)).collect();
        self.found(began, keys, burst.now(), &sights);
        sights.into_iter().zip(found).filter_map(|(sight, flow)| Some((sight?.flow, flow?))).collect()
    }

    fn perform(&mut self, step: &Step) {
        let now = self.now;
        match step {
            Step::Lookup(key) => self.act(Op::Lookup { key: *key, now }),
            Step::LookupBatch(keys) => self.lookup_batch(keys),
            Step::Insert(draft) => {
                let flow = self.spec(draft);
                self.act(Op::Insert { flow, now });
            }
            Step::InsertIfAbsent(draft) => {
                let flow = self.spec(draft);
                self.act(Op::InsertIfAbsent { flow, now });
            }
            Step::GetOrInsertWith(draft) => {
                let flow = self.spec(draft);
                self.act(Op::GetOrInsertWith { flow, now });
            }
            Step::Remove(key) => self.act(Op::Remove { key: *key }),
            Step::Reap { budget, local, .. } => {
                self.act(Op::Reap { now, budget: budget.unwrap_or(usize::MAX), local: *local });
            }
            Step::Snapshot => self.act(Op::ForEach),
            Step::Reinsert(pick) => self.with_held(*pick, |flow| Op::Reinsert { flow, now }),
            Step::Refresh(pick) => self.with_held(*pick, |flow| Op::Refresh { flow, now }),
            Step::SetDeadline(pick, seconds) => {
                let deadline = self.later(*seconds);
                self.with_held(*pick, |flow| Op::SetDeadline { flow, deadline });
            }
            Step::SetTimeout(pick, timeout) => {
                self.with_held(*pick, |flow| Op::SetTimeout { flow, timeout: *timeout, now });
            }
            Step::Cancel(pick) => self.with_held(*pick, |flow| Op::Cancel { flow }),
            Step::RemoveFlow(pick) => self.with_held(*pick, |flow| Op::RemoveFlow { flow }),
            Step::Drop(pick) => {
                let handles = &mut self.actor.handles;
                drop(pick.checked_rem(handles.len()).map(|index| handles.swap_remove(index)));
            }
            Step::Advance(seconds) => self.now = self.later(*seconds),
            // No burst is open, or histories have no such step.
            _ => {}
        }
    }

    fn act(&mut self, op: Op) {
        let began = self.recorder.tick();
        let seen = self.actor.perform(op);
        let ended = self.recorder.tick();
        assert!(self.actor.table.len() <= self.actor.table.capacity(), "more flows than the limit allows");
        self.events.push(Event { thread: self.thread, op, seen, began, ended });
    }

    fn with_held(&mut self, pick: usize, op: impl Fn(FlowId) -> Op) {
        let handles = &self.actor.handles;
        if let Some(index) = pick.checked_rem(handles.len()) {
            self.act(op(id_of::<B>(&handles[index])));
        }
    }

    fn lookup_batch(&mut self, keys: &[u64]) {
        let asked: Vec<_> = keys.iter().copied().map(TestKey::new).collect();
        let mut found = Vec::new();
        let began = self.recorder.tick();
        self.actor.table.lookup_batch(&asked, self.now, &mut found);
        let sights: Vec<_> = found.into_iter().map(|found| found.map(|found| self.actor.sight(found))).collect();
        self.found(began, keys, self.now, &sights);
    }

    /// The look-ups of a batch that began at `began` and is over now.
    fn found(&mut self, began: usize, keys: &[u64], now: Timestamp, sights: &[Option<Sight>]) {
        let (thread, ended) = (self.thread, self.recorder.tick());
        let event = |(&key, &sight): (&u64, &Option<Sight>)| {
            let (op, seen) = (Op::Lookup { key, now }, Outcome::Found(sight));
            Event { thread, op, seen, began, ended }
        };
        self.events.extend(keys.iter().zip(sights).map(event));
    }

    fn spec(&mut self, draft: &Draft) -> Spec {
        let (id, &Draft { key, reply, timeout, on_expiry }) = (FlowId(self.next), draft);
        self.next += 1;
        Spec { id, key, reply, timeout, on_expiry }
    }

    fn later(&self, seconds: i64) -> Timestamp {
        let by = secs(seconds.unsigned_abs());
        if seconds < 0 { self.now.saturating_sub(by) } else { self.now + by }
    }
}
