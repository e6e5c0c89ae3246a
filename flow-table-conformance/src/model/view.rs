use std::collections::BTreeMap;
use std::time::Duration;

use flow_table_api::{EndCounts, Status, Timestamp};

use super::{FlowId, Model};

/// The visible state of a table and its flows at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// `len`.
    pub len: usize,
    /// `stats().dying`.
    pub dying: usize,
    /// `stats().inserts`.
    pub inserts: u64,
    /// `stats().refusals`.
    pub refusals: u64,
    /// `stats().ended`.
    pub ended: EndCounts,
    /// `next_deadline`.
    pub next_deadline: Option<Timestamp>,
    /// Status, deadline and timeout of each flow to which there is a handle.
    pub held: BTreeMap<FlowId, (Status, Timestamp, Duration)>,
    /// Flows whose values have been dropped, of those made so far.
    pub dropped: BTreeMap<FlowId, bool>,
}

impl Model {
    /// Compares the model with `view`.
    ///
    /// # Errors
    ///
    /// Returns the contradiction, in words.
    pub fn agrees(&self, view: &View) -> Result<(), String> {
        let counters = (self.len(), self.dying, self.inserts, self.refusals, self.ended);
        let seen = (view.len, view.dying, view.inserts, view.refusals, view.ended);
        if counters != seen {
            return Err(format!("len, dying, inserts, refusals, ends should be {counters:?}"));
        }
        for (flow, seen) in &view.held {
            let entry = &self.flows[flow];
            if !entry.shows(*seen) {
                let expected = (entry.status, entry.deadline, entry.timeout);
                return Err(format!("{flow:?} should be {expected:?}"));
            }
        }
        for (flow, &dropped) in &view.dropped {
            let kept = self.flows.contains_key(flow);
            if dropped == kept && !self.deferred.contains(flow) {
                return Err(format!("{flow:?} should be {}", if kept { "alive" } else { "dropped" }));
            }
        }
        self.agrees_with_next(view.next_deadline)
    }

    fn agrees_with_next(&self, next: Option<Timestamp>) -> Result<(), String> {
        let waiting = self.flows.values().any(|entry| entry.waiting);
        let active = self.flows.values().filter(|entry| entry.status == Status::Active);
        let earliest = active.map(|entry| entry.deadline).min();
        let right = match (waiting, earliest) {
            (true, _) => next == Some(Timestamp::ZERO),
            (false, Some(earliest)) => next.is_some_and(|next| next <= earliest),
            (false, None) => next.is_none(),
        };
        let why = || format!("next_deadline should follow from waiting {waiting}, earliest {earliest:?}");
        right.then_some(()).ok_or_else(why)
    }
}
