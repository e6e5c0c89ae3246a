//! Operations under concurrency, and the moments at which they take effect.
//!
//! With other threads, not every operation takes effect at one moment. A batch is as many look-ups, a reap
//! releases one flow after the other, and the status of a flow that a look-up found is read later. Each of these
//! is a separate moment.

use std::time::Duration;

use flow_table_api::{Direction, EndCounts, Status, Timeout, Timestamp};

use super::{End, FlowId, Model, Op, Outcome, Sight, Worlds, one};

/// Something that happened at one moment, during an operation.
#[derive(Clone, Debug)]
pub enum Moment {
    /// A whole operation.
    Whole(Op, Outcome),
    /// A look-up of `key` at `now` found a flow, by this one of its keys.
    Found {
        /// The key.
        key: u64,
        /// The time.
        now: Timestamp,
        /// The flow.
        flow: FlowId,
        /// Which of its keys.
        direction: Direction,
    },
    /// `set_timeout` stored the timeout.
    Timeout {
        /// Of this flow.
        flow: FlowId,
        /// The new one.
        timeout: Duration,
    },
    /// `set_timeout` moved the deadline, or found the flow not live.
    Deadline {
        /// The flow.
        flow: FlowId,
        /// From `now` to the new deadline.
        timeout: Duration,
        /// The time.
        now: Timestamp,
        /// The status in the error.
        result: Result<(), Status>,
    },
    /// A reap at `now` let a flow go.
    HandedOver {
        /// The flow.
        end: End,
        /// The time.
        now: Timestamp,
    },
    /// Something was true.
    Fact(Fact),
}

/// What can be true at a moment.
#[derive(Clone, Copy, Debug)]
pub enum Fact {
    /// The flow had this status.
    Status(FlowId, Status),
    /// The flow was not active.
    Passive(FlowId),
    /// A reap at this time would have had nothing to do about the flow: it had not been cancelled, nor was it
    /// active and due.
    NotDue(FlowId, Timestamp),
    /// The flow had this status, deadline and timeout.
    Shows(FlowId, Status, Timestamp, Duration),
    /// No flow was active, and none waited for a reap.
    Empty,
}

impl Model {
    /// The states in which a correct table may be after `moment`. There are none if the moment cannot have been
    /// now.
    pub fn after(&self, moment: &Moment) -> Vec<Self> {
        let mut worlds = match moment {
            Moment::Whole(op, seen) => self.step(op, seen),
            &Moment::Found { key, now, .. } if self.waits(&Op::Lookup { key, now }) => Vec::new(),
            &Moment::Found { key, now, flow, direction } => {
                let this = |sight: Sight| sight.flow == flow && sight.direction == direction;
                let found = |outcome| matches!(outcome, Outcome::Found(Some(sight)) if this(sight));
                worlds_where(self.lookup(key, now, |_, _| {}), found)
            }
            &Moment::Timeout { flow, timeout } => {
                vec![self.with(|world| world.entry(flow).timeout = Timeout::from(timeout).as_duration())]
            }
            &Moment::Deadline { flow, timeout, now, result } => {
                worlds_where(self.move_deadline(flow, timeout, now), |outcome| outcome == Outcome::Set(result))
            }
            &Moment::HandedOver { end, now } => match self.may_hand_over(&[end], now) {
                true => self.hand_over(&[end], now),
                false => Vec::new(),
            },
            Moment::Fact(fact) => self.holds(fact).then(|| self.clone()).into_iter().collect(),
        };
        worlds.iter_mut().for_each(Self::forget_counts);
        worlds
    }

    /// Returns `true` if `fact` is true now.
    pub fn holds(&self, fact: &Fact) -> bool {
        let entry = |flow| self.flows.get(flow);
        match fact {
            Fact::Status(flow, status) => entry(flow).is_some_and(|entry| entry.status == *status),
            Fact::Passive(flow) => entry(flow).is_none_or(|entry| entry.status != Status::Active),
            Fact::NotDue(flow, now) => entry(flow).is_none_or(|entry| {
                let cancelled = entry.waiting && entry.status == Status::Cancelled;
                !cancelled && (entry.status != Status::Active || entry.is_live(*now))
            }),
            Fact::Shows(flow, status, deadline, timeout) => {
                entry(flow).is_some_and(|entry| entry.shows((*status, *deadline, *timeout)))
            }
            Fact::Empty => self.len() == 0,
        }
    }

    fn move_deadline(&self, flow: FlowId, timeout: Duration, now: Timestamp) -> Worlds {
        let entry = self.flows[&flow];
        if !entry.is_live(now) {
            return one(Outcome::Set(Err(entry.status)), self.clone());
        }
        let deadline = now + Timeout::from(timeout).as_duration();
        one(Outcome::Set(Ok(())), self.with(|world| world.entry(flow).deadline = deadline))
    }

    /// Forgets how many: operations that make no other difference commute then. Of handles it matters whether
    /// there are any.
    fn forget_counts(&mut self) {
        self.flows.values_mut().for_each(|entry| entry.handles = entry.handles.min(1));
        self.inserts = 0;
        self.refusals = 0;
        self.ended = EndCounts::default();
    }
}

fn worlds_where(worlds: Worlds, holds: impl Fn(Outcome) -> bool) -> Vec<Model> {
    worlds.into_iter().filter_map(|(outcome, world)| holds(outcome).then_some(world)).collect()
}
