//! The sequential reference model: what a table does, in the simplest terms, without a hash, a lock or a queue.
//!
//! The contract leaves a table some choices: which flows a limited reap takes, which one gives up its place to make room,
//! whether a look-up hides a flow that it did not find. So the model is not a function but a relation: [`Model::step`] takes an
//! [operation](Op) and the [outcome](Outcome) that was seen, and returns every state in which a correct table may be after it;
//! none if no correct table could have given that outcome. Whoever follows a table keeps all of them, as the property tests of
//! the suite do; a checker of concurrent histories searches for an order of operations along which some state is left.
//!
//! Which flows are dying cannot be seen until one is put back. So a state says how many are, and which flows may be among
//! them; what cannot be told apart is one state.

mod end;
mod insert;
mod lookup;
mod moment;
mod op;
mod reap;
mod room;
mod switch;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use flow_table_api::{Direction, EndCounts, OnExpiry, Stats, Status, Timeout, Timestamp};

pub use moment::{Fact, Moment};
use switch::Switch;

pub use op::{Admitted, End, FlowId, Op, Outcome, Refusal, Sight, Spec};
pub use view::View;

/// A flow that somebody can still reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entry {
    key: u64,
    reply: Option<u64>,
    timeout: Duration,
    on_expiry: OnExpiry,
    status: Status,
    deadline: Timestamp,
    /// Look-ups meet it, under each of its keys.
    linked: bool,
    /// It has ended, and waits for a reap.
    waiting: bool,
    /// It waited when room was made last: it may be the one that gave up its place.
    may_be_dying: bool,
    /// References other than the table's own.
    handles: usize,
}

impl Entry {
    fn is_live(&self, now: Timestamp) -> bool {
        self.status == Status::Active && now < self.deadline
    }

    /// To be let go by a reap at `now`.
    fn is_due(&self, now: Timestamp) -> bool {
        self.waiting || self.status == Status::Active && now >= self.deadline
    }

    /// It ends, with its last deadline, which is at least a nanosecond.
    fn end(&mut self, status: Status) {
        self.status = status;
        self.deadline = self.deadline.max(Timestamp::from_nanos(1));
    }

    /// The table or a handle keeps its value alive.
    fn is_kept(&self) -> bool {
        self.status == Status::Active || self.waiting || self.handles > 0
    }

    fn direction_of(&self, key: u64) -> Option<Direction> {
        if self.key == key {
            Some(Direction::Forward)
        } else {
            (self.reply == Some(key)).then_some(Direction::Reply)
        }
    }
}

/// One state that a table may be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    flows: BTreeMap<FlowId, Entry>,
    capacity: usize,
    /// Flows of which the model knows nothing take places as well: any insertion that needs room may be refused.
    is_crowded: bool,
    /// Flows among those that wait for a reap that have given up their places.
    dying: usize,
    inserts: u64,
    refusals: u64,
    ended: EndCounts,
    /// What each open burst has borrowed, the innermost last.
    bursts: Vec<BTreeSet<FlowId>>,
    /// Flows that nobody keeps, but that were let go under an open burst: dropped by the first reap after it at
    /// the latest.
    deferred: BTreeSet<FlowId>,
    /// Insertions on their way, by the flow that they put in. Only concurrent histories have any.
    switching: BTreeMap<FlowId, Switch>,
}

impl Hash for Model {
    /// By the flows alone, which is what states of one run differ in.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.flows.hash(state);
    }
}

type Worlds = Vec<(Outcome, Model)>;

impl Model {
    /// An empty table.
    pub fn new(capacity: usize) -> Self {
        Self {
            flows: BTreeMap::new(),
            capacity,
            is_crowded: false,
            dying: 0,
            inserts: 0,
            refusals: 0,
            ended: Stats::new().ended,
            bursts: Vec::new(),
            deferred: BTreeSet::new(),
            switching: BTreeMap::new(),
        }
    }

    /// An empty table in which any number of other flows come and go, of which the model is not told.
    pub fn in_a_crowd() -> Self {
        Self { is_crowded: true, ..Self::new(usize::MAX) }
    }

    /// The states that a correct table may be in after `op` gave `seen`.
    pub fn step(&self, op: &Op, seen: &Outcome) -> Vec<Self> {
        if self.waits(op) {
            return Vec::new();
        }
        let agrees = |outcome: &Outcome| outcome == seen || self.is_crowded && outcome.is_full() && seen.is_full();
        let matching = self.worlds(op, seen).into_iter().filter(|(outcome, _)| agrees(outcome));
        matching.map(|(_, after)| after).collect()
    }

    /// What `op` might have given instead of `seen`, to tell people.
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

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut world = self.clone();
        change(&mut world);
        world
    }

    fn entry(&mut self, flow: FlowId) -> &mut Entry {
        self.flows.get_mut(&flow).expect("whoever names a flow holds it")
    }

    /// The flow that look-ups of `key` meet.
    fn under(&self, key: u64) -> Option<(FlowId, Direction)> {
        let mut linked = self.flows.iter().filter(|(_, entry)| entry.linked);
        linked.find_map(|(&flow, entry)| Some((flow, entry.direction_of(key)?)))
    }

    fn len(&self) -> usize {
        self.flows.values().filter(|entry| entry.status == Status::Active || entry.waiting).count() - self.dying
    }

    fn is_borrowed(&self, flow: FlowId) -> bool {
        self.bursts.iter().any(|borrowed| borrowed.contains(&flow))
    }

    /// Ends an active flow whose deadline has passed.
    fn expire_if_due(&mut self, flow: FlowId, now: Timestamp) {
        let entry = self.entry(flow);
        if entry.status == Status::Active && now >= entry.deadline {
            entry.end(Status::Expired);
            entry.waiting = true;
            entry.linked = entry.on_expiry == OnExpiry::KeepWhileReferenced;
            self.ended.expired += 1;
        }
    }

    /// Forgets a flow that nobody keeps any more.
    fn let_go(&mut self, flow: FlowId) {
        let kept = self.flows.get(&flow).is_none_or(Entry::is_kept);
        if !kept && !self.is_borrowed(flow) {
            self.flows.remove(&flow);
            if !self.bursts.is_empty() {
                self.deferred.insert(flow);
            }
        }
    }
}

fn one(outcome: Outcome, after: Model) -> Worlds {
    vec![(outcome, after)]
}
