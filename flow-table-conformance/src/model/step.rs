use std::collections::BTreeSet;
use std::time::Duration;

use flow_table_api::{Status, Timeout, Timestamp};

use super::op::{FlowId, Op, Outcome};
use super::state::{Entry, Model, Worlds, one};

impl Model {
    /// The states in which a correct table may be after `op` returned `seen`.
    pub fn step(&self, op: &Op, seen: &Outcome) -> Vec<Self> {
        if self.waits(op) {
            return Vec::new();
        }
        let agrees = |outcome: &Outcome| outcome == seen || self.is_crowded && outcome.is_full() && seen.is_full();
        let matching = self.worlds(op, seen).into_iter().filter(|(outcome, _)| agrees(outcome));
        matching.map(|(_, after)| after).collect()
    }

    /// What `op` might have returned instead of `seen`, for messages.
    pub fn expected(&self, op: &Op, seen: &Outcome) -> Vec<Outcome> {
        self.worlds(op, seen).into_iter().map(|(outcome, _)| outcome).collect()
    }

    /// Every outcome that `op` may have, with the state after it. Which flows a reap lets go is read from
    /// `seen`.
    fn worlds(&self, op: &Op, seen: &Outcome) -> Worlds {
        match *op {
            Op::Lookup { key, now } => self.lookup(key, now, |world, flow| world.entry(flow).handles += 1),
            Op::BurstGet { key, now } => self.lookup(key, now, |world, flow| {
                world.bursts.last_mut().expect("a burst is open").insert(flow);
            }),
            Op::Insert { flow, now } => self.insert(&flow, now, true),
            Op::InsertIfAbsent { flow, now } => self.insert(&flow, now, false),
            Op::GetOrInsertWith { flow, now } => self.get_or_insert(&flow, now),
            Op::Reinsert { flow, now } => self.reinsert(flow, now),
            Op::Refresh { flow, now } if self.flows[&flow].is_live(now) => {
                let refreshed = |entry: &mut Entry| entry.deadline = entry.deadline.max(now + entry.timeout);
                one(Outcome::Granted(true), self.with(|world| refreshed(world.entry(flow))))
            }
            Op::Refresh { .. } => one(Outcome::Granted(false), self.clone()),
            Op::SetDeadline { flow, deadline } => match self.flows[&flow].status {
                Status::Active => {
                    one(Outcome::Set(Ok(())), self.with(|world| world.entry(flow).deadline = deadline))
                }
                ended => one(Outcome::Set(Err(ended)), self.clone()),
            },
            Op::SetTimeout { flow, timeout, now } => self.set_timeout(flow, timeout, now),
            Op::Cancel { flow } => self.cancel(flow),
            Op::Remove { key } => self.remove(key),
            Op::RemoveFlow { flow } => match self.flows[&flow].status {
                Status::Active => one(Outcome::Granted(true), self.with(|world| world.detach(flow))),
                _ => one(Outcome::Granted(false), self.clone()),
            },
            Op::Reap { now, budget, .. } => self.reap(now, budget, seen),
            Op::ForEach => {
                let active = self.flows.iter().filter(|(_, entry)| entry.status == Status::Active);
                one(Outcome::Visited(active.map(|(&flow, _)| flow).collect()), self.clone())
            }
            Op::SetCapacity { flows } => one(Outcome::Done, self.with(|world| world.capacity = flows)),
            Op::OpenBurst { .. } => one(Outcome::Done, self.with(|world| world.bursts.push(BTreeSet::new()))),
            Op::CloseBurst => one(
                Outcome::Done,
                self.with(|world| {
                    // Still open while it gives back what it borrowed: those values may wait for the next reap.
                    for flow in world.bursts.last_mut().map(std::mem::take).expect("a burst is open") {
                        world.let_go(flow);
                    }
                    world.bursts.pop();
                }),
            ),
            Op::Clone { flow } => one(Outcome::Done, self.with(|world| world.entry(flow).handles += 1)),
            Op::Drop { flow } => one(
                Outcome::Done,
                self.with(|world| {
                    world.entry(flow).handles -= 1;
                    world.let_go(flow);
                }),
            ),
            Op::Upgrade { flow } | Op::BurstHandle { flow } => self.revive(flow),
        }
    }

    fn set_timeout(&self, flow: FlowId, timeout: Duration, now: Timestamp) -> Worlds {
        let entry = self.flows[&flow];
        let timeout = Timeout::from(timeout).as_duration();
        let result = if entry.is_live(now) { Ok(()) } else { Err(entry.status) };
        let after = self.with(|world| {
            let entry = world.entry(flow);
            entry.timeout = timeout;
            if result.is_ok() {
                entry.deadline = now + timeout;
            }
        });
        one(Outcome::Set(result), after)
    }
}
