use flow_table_api::Table;

use super::{Disagreement, Draft, Driver, Step};
use crate::Backend;
use crate::actor::id_of;
use crate::fixture::TestKey;
use crate::model::{FlowId, Op, Outcome, Spec};

type Checked = Result<(), Disagreement>;

impl<B: Backend> Driver<'_, B> {
    /// Runs a step that needs no burst, unless there is no flow to pick.
    pub(super) fn execute(&mut self, step: &Step) -> Checked {
        let now = self.now;
        match step {
            Step::Lookup(key) => self.act(Op::Lookup { key: *key, now }),
            Step::LookupBatch(keys) => self.lookup_batch(keys),
            Step::Insert(draft) => self.act(Op::Insert { flow: self.spec(draft), now }),
            Step::InsertIfAbsent(draft) => self.act(Op::InsertIfAbsent { flow: self.spec(draft), now }),
            Step::GetOrInsertWith(draft) => self.act(Op::GetOrInsertWith { flow: self.spec(draft), now }),
            Step::Remove(key) => self.act(Op::Remove { key: *key }),
            Step::Reap { budget, local, keep } => self.reap(*budget, *local, *keep),
            Step::Snapshot => self.act(Op::ForEach),
            Step::Retain => self.retain(),
            Step::SetCapacity(flows) => self.act(Op::SetCapacity { flows: *flows }),
            Step::ShrinkToFit => {
                self.actor.table.shrink_to_fit();
                Ok(())
            }
            Step::DropAll => {
                let held: Vec<_> = self.actor.handles.iter().map(id_of::<B>).collect();
                held.into_iter().try_for_each(|flow| self.act(Op::Drop { flow }))
            }
            Step::Upgrade(pick) => {
                let known: Vec<_> = self.actor.weak.keys().copied().collect();
                pick_from(&known, *pick).map_or(Ok(()), |flow| self.act(Op::Upgrade { flow }))
            }
            Step::Advance(nanos) => {
                self.now = self.later(*nanos);
                Ok(())
            }
            Step::Reinsert(pick) => self.with_held(*pick, |flow| Op::Reinsert { flow, now }),
            Step::Refresh(pick) => self.with_held(*pick, |flow| Op::Refresh { flow, now }),
            Step::SetDeadline(pick, nanos) => {
                let deadline = self.later(*nanos);
                self.with_held(*pick, |flow| Op::SetDeadline { flow, deadline })
            }
            Step::SetTimeout(pick, timeout) => {
                self.with_held(*pick, |flow| Op::SetTimeout { flow, timeout: *timeout, now })
            }
            Step::Cancel(pick) => self.with_held(*pick, |flow| Op::Cancel { flow }),
            Step::RemoveFlow(pick) => self.with_held(*pick, |flow| Op::RemoveFlow { flow }),
            Step::Clone(pick) => self.with_held(*pick, |flow| Op::Clone { flow }),
            Step::Drop(pick) => self.with_held(*pick, |flow| Op::Drop { flow }),
            // No burst is open, or too many are.
            Step::Skip
            | Step::OpenBurst
            | Step::BurstGet(_)
            | Step::BurstGetBatch(_)
            | Step::BurstHandle(_)
            | Step::CloseBurst => Ok(()),
        }
    }

    fn act(&mut self, op: Op) -> Checked {
        let seen = self.actor.perform(op);
        self.check(op, seen)
    }

    fn with_held(&mut self, pick: usize, op: impl Fn(FlowId) -> Op) -> Checked {
        let picked = pick_from(&self.actor.handles, pick).map(|handle| id_of::<B>(&handle));
        picked.map_or(Ok(()), |flow| self.act(op(flow)))
    }

    /// A flow with the next free number.
    fn spec(&self, draft: &Draft) -> Spec {
        let Draft { key, reply, timeout, on_expiry } = *draft;
        Spec { id: FlowId(self.actor.ledger.made()), key, reply, timeout, on_expiry }
    }

    fn lookup_batch(&mut self, keys: &[u64]) -> Checked {
        let asked: Vec<_> = keys.iter().copied().map(TestKey::new).collect();
        let mut found = vec![None];
        self.actor.table.lookup_batch(&asked, self.now, &mut found);
        for (key, found) in keys.iter().zip(found) {
            let seen = Outcome::Found(found.map(|found| self.actor.sight(found)));
            self.check(Op::Lookup { key: *key, now: self.now }, seen)?;
        }
        Ok(())
    }

    fn reap(&mut self, budget: Option<usize>, local: bool, keep: bool) -> Checked {
        // The run has one thread: its share is everything.
        let op = Op::Reap { now: self.now, budget: budget.unwrap_or(usize::MAX), local };
        let held = self.actor.handles.len();
        self.act(op)?;
        let handed_over: Vec<_> = self.actor.handles[held..].iter().map(id_of::<B>).collect();
        handed_over.into_iter().filter(|_| !keep).try_for_each(|flow| self.act(Op::Drop { flow }))
    }

    fn retain(&mut self) -> Checked {
        let mut visited = Vec::new();
        let removed = self.actor.table.retain(|flow| {
            visited.push(id_of::<B>(flow));
            is_even(id_of::<B>(flow))
        });
        visited.sort_unstable();
        let odd: Vec<_> = visited.iter().copied().filter(|flow| !is_even(*flow)).collect();
        if odd.len() != removed {
            return Err(self.disagreement(&format!("retain removed {removed} of {visited:?}")));
        }
        self.check(Op::ForEach, Outcome::Visited(visited))?;
        odd.into_iter().try_for_each(|flow| self.check(Op::RemoveFlow { flow }, Outcome::Granted(true)))
    }
}

const fn is_even(flow: FlowId) -> bool {
    flow.0.is_multiple_of(2)
}

fn pick_from<T: Clone>(from: &[T], pick: usize) -> Option<T> {
    from.get(pick.checked_rem(from.len())?).cloned()
}
