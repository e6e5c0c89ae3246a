use flow_table_api::{EndReason, ReapReport, Status, Timestamp};

use super::{End, FlowId, Model, Outcome, Worlds};

impl Model {
    /// A reap that let `seen` go, if it may have done so.
    pub(super) fn reap(&self, now: Timestamp, budget: usize, seen: &Outcome) -> Worlds {
        let Outcome::Reaped { ended, report } = seen else { return Vec::new() };
        if !self.may_hand_over(ended, now) || !self.is_right(ended, report, now, budget) {
            return Vec::new();
        }
        let mut worlds = self.hand_over(ended, now);
        for world in &mut worlds {
            if world.bursts.is_empty() {
                world.deferred.clear();
            }
        }
        worlds.into_iter().map(|world| (seen.clone(), world)).collect()
    }

    fn is_right(&self, ended: &[End], report: &ReapReport, now: Timestamp, budget: usize) -> bool {
        let count = |reason| ended.iter().filter(|end| end.reason == reason).count();
        let due = self.flows.values().filter(|entry| entry.is_due(now)).count();
        report.expired == count(EndReason::Expired)
            && report.cancelled == count(EndReason::Cancelled)
            && report.visited() <= budget
            && if report.more { report.visited() == budget } else { ended.len() == due }
    }

    /// Returns `true` if these flows may be handed over: each once, and for the right reason.
    pub(super) fn may_hand_over(&self, ended: &[End], now: Timestamp) -> bool {
        let right = |index: usize, end: &End| {
            let Some(entry) = self.flows.get(&end.flow) else { return false };
            let reason = if entry.status == Status::Cancelled { EndReason::Cancelled } else { EndReason::Expired };
            let again = ended[..index].iter().any(|earlier| earlier.flow == end.flow);
            entry.is_due(now) && reason == end.reason && !again
        };
        ended.iter().enumerate().all(|(index, end)| right(index, end))
    }

    /// Hands these flows over to a caller that keeps the handles. How many of them were dying is only known from
    /// the flows that are left.
    pub(super) fn hand_over(&self, ended: &[End], now: Timestamp) -> Vec<Self> {
        let gone = ended.iter().filter(|end| self.flows[&end.flow].may_be_dying).count();
        let least = (self.dying + gone).saturating_sub(self.candidates());
        let without = |dying| self.with(|world| world.fewer_dying(dying));
        let mut worlds: Vec<_> = (least..=gone.min(self.dying)).map(without).collect();
        for end in ended {
            worlds = worlds.iter().flat_map(|world| world.hand_over_one(end.flow, now)).collect();
        }
        worlds
    }

    fn hand_over_one(&self, flow: FlowId, now: Timestamp) -> Vec<Self> {
        let found = self.with(|world| {
            world.expire_if_due(flow, now);
            let entry = world.entry(flow);
            entry.waiting = false;
            entry.may_be_dying = false;
            entry.handles += 1;
        });
        if self.flows[&flow].handles > 0 || !found.flows[&flow].linked {
            return vec![found];
        }
        // Nobody held it until now: its slot may be cleared with it.
        let cleared = found.with(|world| world.entry(flow).linked = false);
        vec![found, cleared]
    }
}
