use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use flow_table_api::{Direction, EndCounts, OnExpiry, Stats, Status, Timestamp};

use super::op::{FlowId, Outcome};

/// An insertion that has ended the flow that it replaces, and has not started its own yet. What both have a key in
/// common for waits for it, so that this key has no gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Switch {
    pub(super) old: FlowId,
    pub(super) keys: [Option<u64>; 2],
}

/// A flow that somebody can still reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) key: u64,
    pub(super) reply: Option<u64>,
    pub(super) timeout: Duration,
    pub(super) on_expiry: OnExpiry,
    pub(super) status: Status,
    pub(super) deadline: Timestamp,
    /// Look-ups meet it, under each of its keys.
    pub(super) linked: bool,
    /// It has ended, and waits for a reap.
    pub(super) waiting: bool,
    /// It waited when room was made last: it may be the one that gave up its place.
    pub(super) may_be_dying: bool,
    /// References other than the table's own.
    pub(super) handles: usize,
}

impl Entry {
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        self.status == Status::Active && now < self.deadline
    }

    /// To be let go by a reap at `now`.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.waiting || self.status == Status::Active && now >= self.deadline
    }

    /// It ends, with its last deadline, which is at least a nanosecond.
    pub(super) fn end(&mut self, status: Status) {
        self.status = status;
        self.deadline = self.deadline.max(Timestamp::from_nanos(1));
    }

    /// Returns `true` if a flow in this state may show this. Backends may take the deadline of a cancelled flow
    /// for the latest one if it was so late.
    pub(super) fn shows(&self, (status, deadline, timeout): (Status, Timestamp, Duration)) -> bool {
        const LATE: Timestamp = Timestamp::from_nanos((1 << 61) - 1);
        let rounded = status == Status::Cancelled && self.deadline >= LATE && deadline == Timestamp::MAX;
        (self.status, self.timeout) == (status, timeout) && (self.deadline == deadline || rounded)
    }

    /// The table or a handle keeps its value alive.
    pub(super) fn is_kept(&self) -> bool {
        self.status == Status::Active || self.waiting || self.handles > 0
    }

    pub(super) fn direction_of(&self, key: u64) -> Option<Direction> {
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
    pub(super) flows: BTreeMap<FlowId, Entry>,
    pub(super) capacity: usize,
    /// Flows of which the model knows nothing take places as well: any insertion that needs room may be refused.
    pub(super) is_crowded: bool,
    /// Flows among those that wait for a reap that have given up their places.
    pub(super) dying: usize,
    pub(super) inserts: u64,
    pub(super) refusals: u64,
    pub(super) ended: EndCounts,
    /// What each open burst has borrowed, the innermost last.
    pub(super) bursts: Vec<BTreeSet<FlowId>>,
    /// Flows that nobody keeps, but that were let go under an open burst: dropped by the first reap after it at
    /// the latest.
    pub(super) deferred: BTreeSet<FlowId>,
    /// Insertions on their way, by the flow that they put in. Only concurrent histories have any.
    pub(super) switching: BTreeMap<FlowId, Switch>,
}

impl Hash for Model {
    /// By the flows alone, which is what states of one run differ in.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.flows.hash(state);
    }
}

pub(super) type Worlds = Vec<(Outcome, Model)>;

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

    pub(super) fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut world = self.clone();
        change(&mut world);
        world
    }

    pub(super) fn entry(&mut self, flow: FlowId) -> &mut Entry {
        self.flows.get_mut(&flow).expect("whoever names a flow holds it")
    }

    /// The flow that look-ups of `key` meet.
    pub(super) fn under(&self, key: u64) -> Option<(FlowId, Direction)> {
        let mut linked = self.flows.iter().filter(|(_, entry)| entry.linked);
        linked.find_map(|(&flow, entry)| Some((flow, entry.direction_of(key)?)))
    }

    pub(super) fn len(&self) -> usize {
        self.flows.values().filter(|entry| entry.status == Status::Active || entry.waiting).count() - self.dying
    }

    pub(super) fn is_borrowed(&self, flow: FlowId) -> bool {
        self.bursts.iter().any(|borrowed| borrowed.contains(&flow))
    }

    /// Ends an active flow whose deadline has passed.
    pub(super) fn expire_if_due(&mut self, flow: FlowId, now: Timestamp) {
        let entry = self.entry(flow);
        if entry.status == Status::Active && now >= entry.deadline {
            entry.end(Status::Expired);
            entry.waiting = true;
            entry.linked = entry.on_expiry == OnExpiry::KeepWhileReferenced;
            self.ended.expired += 1;
        }
    }

    /// Forgets a flow that nobody keeps any more.
    pub(super) fn let_go(&mut self, flow: FlowId) {
        let kept = self.flows.get(&flow).is_none_or(Entry::is_kept);
        if !kept && !self.is_borrowed(flow) {
            self.flows.remove(&flow);
            if !self.bursts.is_empty() {
                self.deferred.insert(flow);
            }
        }
    }
}

pub(super) fn one(outcome: Outcome, after: Model) -> Worlds {
    vec![(outcome, after)]
}
