//! All keys share one thing, the places of the table. So some things cannot be explained key by key, and are
//! explained by intervals here.
//!
//! * **Refusals.** An insertion may be refused at a moment at which the table may have been full: of each flow it
//!   is known from when on it may have had a place, and until when. Flows that were due, and that nobody else was
//!   at work on, could have given up theirs. If so many flows may have been there that as many as the limit may
//!   have been dying, none of this counts.
//! * **The limit.** At no moment more flows than the limit are known to be active: from the end of the insertion
//!   of a flow to the beginning of the last operation that met it active.
//! * **Room.** An insertion that may have met a full table may have expired any flow that was due.
//!
//! An insertion under way may take a place for a moment, and give it back; a flow that is being put back may count
//! among those that die besides.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flow_table_api::{Status, Timestamp};

use super::{Event, History};
use crate::model::{Admitted, FlowId, Op, Outcome, Refusal};

/// When an insertion may have met a full table: between two readings. What was due at `now` then, it may have
/// expired.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    pub now: Timestamp,
    pub began: usize,
    pub ended: usize,
}

/// What is known of one flow.
#[derive(Debug, Default)]
struct Life {
    keys: Vec<u64>,
    /// When insertions that put it in began and ended.
    installed: Vec<(usize, usize)>,
    /// When operations that let it go ended.
    let_go: Vec<usize>,
    /// When the cancellation was over.
    cancelled: Option<usize>,
    /// Operations that put it back, or tried to.
    reinserted: bool,
    /// When the last operation began that met it active.
    last_active: usize,
    /// The longest timeout that it ever had.
    timeout: Duration,
    /// When each operation began that may have moved the deadline, and the latest that it may have become by that.
    deadlines: Vec<(usize, Timestamp)>,
}

/// All that is known of the places of a history's table.
pub struct Crowd<'h> {
    history: &'h History,
    lives: BTreeMap<FlowId, Life>,
}

impl<'h> Crowd<'h> {
    pub fn of(history: &'h History) -> Self {
        let mut crowd = Self { history, lives: BTreeMap::new() };
        // Timeouts first: deadlines depend on the longest.
        history.events.iter().for_each(|event| crowd.note_timeout(event));
        history.events.iter().for_each(|event| crowd.note(event));
        crowd
    }

    fn life(&mut self, flow: FlowId) -> &mut Life {
        self.lives.entry(flow).or_default()
    }

    fn note_timeout(&mut self, event: &Event) {
        let (flow, timeout) = match event.op {
            Op::SetTimeout { flow, timeout, .. } => (flow, timeout),
            _ => match event.op.spec() {
                Some(spec) => {
                    self.life(spec.id).keys = [Some(spec.key), spec.reply].into_iter().flatten().collect();
                    (spec.id, spec.timeout)
                }
                None => return,
            },
        };
        let life = self.life(flow);
        life.timeout = life.timeout.max(timeout);
    }

    fn note(&mut self, event: &Event) {
        let &Event { began, ended, .. } = event;
        for flow in met_active(event) {
            let life = self.life(flow);
            life.last_active = life.last_active.max(began);
        }
        for flow in let_go(event) {
            self.life(flow).let_go.push(ended);
        }
        if let Some(flow) = event.installed() {
            self.life(flow).installed.push((began, ended));
        }
        let (flow, deadline) = match event.op {
            Op::Cancel { flow } if event.seen == Outcome::Granted(true) => {
                self.life(flow).cancelled = Some(ended);
                return;
            }
            Op::Reinsert { flow, now } => {
                self.life(flow).reinserted = true;
                (flow, now + self.life(flow).timeout)
            }
            Op::Refresh { flow, now } | Op::SetTimeout { flow, now, .. } => (flow, now + self.life(flow).timeout),
            Op::SetDeadline { flow, deadline } => (flow, deadline),
            _ => match (event.op.spec(), now_of(&event.op)) {
                (Some(spec), Some(now)) => (spec.id, now + self.life(spec.id).timeout),
                _ => return,
            },
        };
        self.life(flow).deadlines.push((began, deadline));
    }

    /// Checks that refusals and the limit can be explained.
    ///
    /// # Errors
    ///
    /// Returns what cannot be explained, in words.
    pub fn adds_up(&self) -> Result<(), String> {
        for event in &self.history.events {
            let Outcome::Inserted(Err(Refusal::Full { capacity })) = event.seen else { continue };
            if capacity != self.history.capacity || !self.may_be_refused(event) {
                return Err(format!("{event:?}, but the limit is {}, and there was room", self.history.capacity));
            }
        }
        let sure = |life: &Life| match life.installed[..] {
            [(_, from)] if !life.reinserted && from < life.last_active => Some((from, life.last_active)),
            _ => None,
        };
        let sure: Vec<_> = self.lives.values().filter_map(sure).collect();
        for &(at, _) in &sure {
            let there = sure.iter().filter(|(from, to)| *from <= at && at <= *to).count();
            if there > self.history.capacity {
                return Err(format!(
                    "{there} flows are active at {at}, and the limit is {}",
                    self.history.capacity
                ));
            }
        }
        Ok(())
    }

    /// The insertions that may have met a full table.
    pub fn searches(&self) -> Vec<Search> {
        let full =
            |event: &&Event| takes_a_place(event) && self.most_places(event, |_| true) >= self.history.capacity;
        let searches = self.history.events.iter().filter(full);
        let search =
            |event: &Event| Some(Search { now: now_of(&event.op)?, began: event.began, ended: event.ended });
        searches.filter_map(search).collect()
    }

    fn may_be_refused(&self, event: &Event) -> bool {
        let now = now_of(&event.op).expect("an insertion has a time");
        let limit = self.history.capacity;
        let busy = self.busy(event);
        let stays =
            |flow: FlowId| busy.as_ref().is_none_or(|busy| busy.contains(&flow)) || !self.is_due(flow, event, now);
        self.most_places(event, stays) >= limit || self.most_places(event, |_| true) >= 2 * limit
    }

    /// The most flows, of those that count, that may be in the table at a moment of `event`, with those that are
    /// on their way in.
    fn most_places(&self, event: &Event, counts: impl Fn(FlowId) -> bool) -> usize {
        let own = event.op.spec().map(|spec| spec.id);
        let there = |at: usize| {
            let may_be = |(flow, life): &(&FlowId, &Life)| {
                let came = life.installed.iter().filter(|(began, _)| *began <= at).count();
                let went = life.let_go.iter().filter(|ended| **ended < at).count();
                came > went && Some(**flow) != own && counts(**flow)
            };
            let others = self.history.events.iter().filter(|other| {
                let is_other = !std::ptr::eq(*other, event);
                is_other
                    && other.began <= at
                    && at <= other.ended
                    && (other.installed().is_none() || matches!(other.op, Op::Reinsert { .. }))
                    && takes_a_place(other)
            });
            self.lives.iter().filter(may_be).count() + others.count()
        };
        let within = |at: &usize| event.began <= *at && *at <= event.ended;
        let moments = self.history.events.iter().map(|other| other.began).filter(within);
        moments.map(there).max().unwrap_or(0)
    }

    /// Flows that others are at work on during `event`; `None` if that may be any.
    fn busy(&self, event: &Event) -> Option<BTreeSet<FlowId>> {
        let mut busy = BTreeSet::new();
        for other in
            self.history.events.iter().filter(|other| !std::ptr::eq(*other, event) && other.overlaps(event))
        {
            if matches!(other.op, Op::Reap { .. } | Op::ForEach) {
                return None;
            }
            let keys = match other.op {
                Op::Lookup { key, .. } | Op::Remove { key } => vec![key],
                op => op
                    .spec()
                    .map_or(Vec::new(), |spec| [Some(spec.key), spec.reply].into_iter().flatten().collect()),
            };
            let named = other.op.given();
            busy.extend(named);
            let met = |life: &Life| life.keys.iter().any(|key| keys.contains(key));
            let reinserted = named.and_then(|flow| self.lives.get(&flow));
            let shares =
                |life: &Life| reinserted.is_some_and(|other| other.keys.iter().any(|key| life.keys.contains(key)));
            busy.extend(self.lives.iter().filter(|(_, life)| met(life) || shares(life)).map(|(flow, _)| *flow));
        }
        Some(busy)
    }

    /// Whether `flow`, if it is there, has ended or is due for all of `event`.
    fn is_due(&self, flow: FlowId, event: &Event, now: Timestamp) -> bool {
        let life = &self.lives[&flow];
        let is_settled = matches!(life.installed[..], [(_, ended)] if ended < event.began);
        let mut deadlines = life.deadlines.iter().filter(|(began, _)| *began <= event.ended);
        is_settled
            && (life.cancelled.is_some_and(|ended| ended < event.began)
                || deadlines.all(|(_, latest)| *latest <= now))
    }
}

/// The time of an insertion.
const fn now_of(op: &Op) -> Option<Timestamp> {
    match *op {
        Op::Insert { now, .. }
        | Op::InsertIfAbsent { now, .. }
        | Op::GetOrInsertWith { now, .. }
        | Op::Reinsert { now, .. } => Some(now),
        _ => None,
    }
}

/// Whether this is an insertion that may have taken a place, if only for a moment.
const fn takes_a_place(event: &Event) -> bool {
    let is_hit = matches!(event.seen, Outcome::Inserted(Ok(Admitted::Existing { rejected: false, .. })));
    now_of(&event.op).is_some() && !is_hit
}

/// The flows that had a place at some moment of `event`: they were active.
fn met_active(event: &Event) -> Vec<FlowId> {
    match (&event.op, &event.seen) {
        (_, Outcome::Found(Some(sight))) if sight.status == Status::Active => vec![sight.flow],
        (_, Outcome::Inserted(Ok(Admitted::Existing { holder, .. }) | Err(Refusal::Conflict { holder, .. }))) => {
            vec![*holder]
        }
        (_, Outcome::Removed(Some((flow, _)))) => vec![*flow],
        (_, Outcome::Inserted(Ok(Admitted::New { replaced: Some(old) }))) => vec![*old],
        (_, Outcome::Visited(visited)) => visited.clone(),
        (op, Outcome::Granted(true) | Outcome::Set(Ok(())) | Outcome::Inserted(Err(Refusal::Active))) => {
            op.given().into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The flows that `event` took out of the table.
fn let_go(event: &Event) -> Vec<FlowId> {
    match (&event.op, &event.seen) {
        (_, Outcome::Removed(Some((flow, _)))) => vec![*flow],
        (Op::RemoveFlow { flow }, Outcome::Granted(true)) => vec![*flow],
        (_, Outcome::Inserted(Ok(Admitted::New { replaced: Some(old) }))) => vec![*old],
        (_, Outcome::Reaped { ended, .. }) => ended.iter().map(|end| end.flow).collect(),
        _ => Vec::new(),
    }
}
