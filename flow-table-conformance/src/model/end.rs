use flow_table_api::{OnExpiry, Status};

use super::{FlowId, Model, Outcome, Worlds, one};

impl Model {
    pub(super) fn cancel(&self, flow: FlowId) -> Worlds {
        match self.flows[&flow].status {
            Status::Active => one(
                Outcome::Granted(true),
                self.with(|world| {
                    let entry = world.entry(flow);
                    entry.end(Status::Cancelled);
                    entry.linked = false;
                    entry.waiting = true;
                    world.ended.cancelled += 1;
                }),
            ),
            Status::Expired => self.hide(flow, &Outcome::Granted(false)),
            Status::Detached | Status::Cancelled => one(Outcome::Granted(false), self.clone()),
        }
    }

    pub(super) fn remove(&self, key: u64) -> Worlds {
        let Some((flow, direction)) = self.under(key) else { return one(Outcome::Removed(None), self.clone()) };
        if self.flows[&flow].status != Status::Active {
            return self.hide(flow, &Outcome::Removed(None));
        }
        let after = self.with(|world| {
            world.entry(flow).handles += 1;
            world.detach(flow);
        });
        one(Outcome::Removed(Some((flow, direction))), after)
    }

    /// Look-ups find an expired flow no more; after a `reinsert`, the table may or may not remember that.
    fn hide(&self, flow: FlowId, outcome: &Outcome) -> Worlds {
        let hidden = self.with(|world| world.entry(flow).linked = false);
        let forgotten = hidden.with(|world| world.entry(flow).on_expiry = OnExpiry::Remove);
        vec![(outcome.clone(), hidden), (outcome.clone(), forgotten)]
    }

    /// Takes an active flow out.
    pub(super) fn detach(&mut self, flow: FlowId) {
        let entry = self.entry(flow);
        entry.end(Status::Detached);
        entry.linked = false;
        self.ended.removed += 1;
        self.let_go(flow);
    }
}
