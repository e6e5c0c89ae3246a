use std::collections::BTreeSet;

use flow_table_api::{
    Admission, Budget, Ended, Flow, FlowRef, ForeignFlow, InsertError, Inserted, ReinsertError, SetDeadlineError,
    Table, WeakFlowRef,
};

use super::{Disagreement, Driver, Step};
use crate::fixture::{TestKey, TestValue};
use crate::model::{Admitted, End, FlowId, Op, Outcome, Refusal, Sight};
use crate::{Backend, TestRef};

type Checked = Result<(), Disagreement>;
type Admissions<B> =
    Result<Admission<TestKey, TestValue, TestRef<B>>, InsertError<TestKey, TestValue, TestRef<B>>>;

impl<B: Backend> Driver<'_, B> {
    /// Runs a step that needs no burst, unless there is no flow to pick.
    pub(super) fn execute(&mut self, step: &Step) -> Checked {
        let now = self.now;
        match step {
            Step::Lookup(key) => {
                let found = self.table.lookup(&TestKey::new(*key), now);
                self.found(*key, found)?;
            }
            Step::LookupBatch(keys) => {
                let asked: Vec<_> = keys.iter().copied().map(TestKey::new).collect();
                let mut found = vec![None];
                self.table.lookup_batch(&asked, now, &mut found);
                for (key, found) in keys.iter().zip(found) {
                    self.found(*key, found)?;
                }
            }
            Step::Insert(new) => {
                let (flow, made) = self.make(new);
                let result = self.table.insert(made, now).map(Admission::Inserted);
                self.admitted(Op::Insert { flow, now }, result)?;
            }
            Step::InsertIfAbsent(new) => {
                let (flow, made) = self.make(new);
                let result = self.table.insert_if_absent(made, now);
                self.admitted(Op::InsertIfAbsent { flow, now }, result)?;
            }
            Step::GetOrInsertWith(key, new) => {
                let (flow, made) = self.make(new);
                let result = self.table.get_or_insert_with(&TestKey::new(*key), now, || made);
                self.admitted(Op::GetOrInsertWith { key: *key, flow, now }, result)?;
            }
            Step::Remove(key) => {
                let removed = self.table.remove(&TestKey::new(*key));
                let seen = removed.map(|flow| (flow.direction(), self.keep(flow)));
                self.check(Op::Remove { key: *key }, Outcome::Removed(seen.map(|(key, flow)| (flow, key))))?;
            }
            Step::Reap { budget, local, keep } => self.reap(*budget, *local, *keep)?,
            Step::Snapshot => {
                let visited = self.table.snapshot().iter().map(|flow| FlowId(flow.value().serial())).collect();
                self.check(Op::ForEach, Outcome::Visited(visited))?;
            }
            Step::Retain => self.retain()?,
            Step::SetCapacity(flows) => {
                self.table.set_capacity(*flows);
                self.check(Op::SetCapacity { flows: *flows }, Outcome::Done)?;
            }
            Step::ShrinkToFit => self.table.shrink_to_fit(),
            Step::DropAll => {
                while !self.handles.is_empty() {
                    self.with_flow(&Step::Drop(0), 0)?;
                }
            }
            Step::Upgrade(pick) if !self.weak.is_empty() => {
                let (flow, weak) = &self.weak[pick % self.weak.len()];
                let (flow, upgraded) = (*flow, weak.upgrade());
                self.check(Op::Upgrade { flow }, Outcome::Granted(upgraded.is_some()))?;
                self.handles.extend(upgraded);
            }
            Step::Advance(seconds) => self.now = self.later(*seconds),
            Step::Reinsert(pick)
            | Step::Refresh(pick)
            | Step::SetDeadline(pick, _)
            | Step::SetTimeout(pick, _)
            | Step::Cancel(pick)
            | Step::RemoveFlow(pick)
            | Step::Clone(pick)
            | Step::Drop(pick)
                if !self.handles.is_empty() =>
            {
                self.with_flow(step, pick % self.handles.len())?;
            }
            // `Skip`; no flow to pick; no burst.
            _ => {}
        }
        Ok(())
    }

    fn with_flow(&mut self, step: &Step, index: usize) -> Checked {
        let now = self.now;
        let handle = self.handles[index].clone();
        let flow = FlowId(handle.value().serial());
        let (op, outcome) = match step {
            Step::Reinsert(_) => {
                let result = self.table.reinsert(&handle, now);
                drop(handle);
                return self.reinserted(flow, result);
            }
            Step::Refresh(_) => (Op::Refresh { flow, now }, Outcome::Granted(handle.refresh(now))),
            Step::SetDeadline(_, seconds) => {
                let deadline = self.later(*seconds);
                (Op::SetDeadline { flow, deadline }, set(self.table.set_deadline(&handle, deadline)))
            }
            Step::SetTimeout(_, timeout) => {
                let timeout = *timeout;
                (Op::SetTimeout { flow, timeout, now }, set(self.table.set_timeout(&handle, timeout, now)))
            }
            Step::Cancel(_) => (Op::Cancel { flow }, Outcome::Granted(handle.cancel())),
            Step::RemoveFlow(_) => {
                (Op::RemoveFlow { flow }, Outcome::Granted(own(self.table.remove_flow(&handle))))
            }
            Step::Clone(_) => {
                self.handles.push(handle.clone());
                (Op::Clone { flow }, Outcome::Done)
            }
            Step::Drop(_) => {
                drop(self.handles.swap_remove(index));
                (Op::Drop { flow }, Outcome::Done)
            }
            _ => unreachable!("the other steps pick no flow"),
        };
        drop(handle);
        self.check(op, outcome)
    }

    fn found(&mut self, key: u64, found: Option<TestRef<B>>) -> Checked {
        let seen = found.map(|flow| {
            let (direction, status) = (flow.direction(), flow.status());
            Sight { flow: self.keep(flow), direction, status }
        });
        self.check(Op::Lookup { key, now: self.now }, Outcome::Found(seen))
    }

    /// What is let go is kept for now: those who export records may.
    fn inserted(&mut self, inserted: Inserted<TestRef<B>>) -> Admitted {
        self.keep(inserted.flow);
        let replaced = inserted.replaced.map(|flow| self.keep(flow));
        let made_room = inserted.made_room.into_iter().map(|ended| self.ended(ended)).collect();
        Admitted::New { replaced, made_room }
    }

    fn ended(&mut self, ended: Ended<TestRef<B>>) -> End {
        End { reason: ended.reason, flow: self.keep(ended.flow) }
    }

    fn admitted(&mut self, op: Op, result: Admissions<B>) -> Checked {
        let outcome = match result {
            Ok(Admission::Inserted(inserted)) => Ok(self.inserted(inserted)),
            Ok(Admission::Existing { holder, key, rejected }) => {
                let direction = holder.direction();
                let holder = self.keep(holder);
                Ok(Admitted::Existing { holder, direction, key, rejected: rejected.is_some() })
            }
            Err(InsertError::Full { capacity, .. }) => Err(Refusal::Full { capacity }),
            Err(InsertError::IdenticalKeys { .. }) => Err(Refusal::IdenticalKeys),
            Err(InsertError::KeyMismatch { .. }) => Err(Refusal::KeyMismatch),
            Err(InsertError::Conflict { holder, key, .. }) => {
                let direction = holder.direction();
                Err(Refusal::Conflict { holder: self.keep(holder), direction, key })
            }
            Err(other) => return Err(self.disagreement(&format!("{op:?} -> {other}"))),
        };
        self.check(op, Outcome::Inserted(outcome))
    }

    fn reinserted(
        &mut self,
        flow: FlowId,
        result: Result<Inserted<TestRef<B>>, ReinsertError<TestRef<B>>>,
    ) -> Checked {
        let op = Op::Reinsert { flow, now: self.now };
        let outcome = match result {
            Ok(inserted) => Ok(self.inserted(inserted)),
            Err(ReinsertError::Active) => Err(Refusal::Active),
            Err(ReinsertError::Cancelled) => Err(Refusal::Cancelled),
            Err(ReinsertError::Full { capacity }) => Err(Refusal::Full { capacity }),
            Err(ReinsertError::Conflict { holder, key }) => {
                let direction = holder.direction();
                Err(Refusal::Conflict { holder: self.keep(holder), direction, key })
            }
            Err(other) => return Err(self.disagreement(&format!("{op:?} -> {other}"))),
        };
        self.check(op, Outcome::Inserted(outcome))
    }

    fn reap(&mut self, budget: Option<usize>, local: bool, keep: bool) -> Checked {
        let limit = budget.map_or(Budget::UNLIMITED, Budget::flows);
        let mut handed_over = Vec::new();
        let callback = |ended| handed_over.push(ended);
        // The run has one thread: its share is everything.
        let report = if local {
            self.table.reap_local_with(self.now, limit, callback)
        } else {
            self.table.reap_with(self.now, limit, callback)
        };
        let ended: Vec<_> = handed_over.into_iter().map(|ended| self.ended(ended)).collect();
        let flows: Vec<_> = ended.iter().map(|end| end.flow).collect();
        self.check(Op::Reap { now: self.now, budget: limit.get() }, Outcome::Reaped { ended, report })?;
        if budget.is_none() && self.table.stats().dead_slots > 0 && !self.in_burst() {
            return Err(self.disagreement("dead slots are left"));
        }
        for flow in flows.into_iter().filter(|_| !keep) {
            let index = self.handles.iter().position(|handle| handle.value().serial() == flow.0);
            self.with_flow(&Step::Drop(0), index.expect("it was kept a moment ago"))?;
        }
        Ok(())
    }

    fn retain(&mut self) -> Checked {
        let mut visited = BTreeSet::new();
        let removed = self.table.retain(|flow| {
            let serial = flow.value().serial();
            visited.insert(FlowId(serial));
            serial.is_multiple_of(2)
        });
        let odd: Vec<_> = visited.iter().copied().filter(|flow| !flow.0.is_multiple_of(2)).collect();
        if odd.len() != removed {
            return Err(self.disagreement(&format!("retain removed {removed} of {visited:?}")));
        }
        self.check(Op::ForEach, Outcome::Visited(visited))?;
        odd.into_iter().try_for_each(|flow| self.check(Op::RemoveFlow { flow }, Outcome::Granted(true)))
    }
}

fn set(result: Result<(), SetDeadlineError>) -> Outcome {
    Outcome::Set(result.map_err(|error| match error {
        SetDeadlineError::NotLive(status) => status,
        other => panic!("{other}"),
    }))
}

fn own(result: Result<bool, ForeignFlow>) -> bool {
    result.expect("the flow is the table's own")
}
