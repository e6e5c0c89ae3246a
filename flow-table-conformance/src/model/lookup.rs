use flow_table_api::{Status, Timestamp};

use super::{FlowId, Model, Outcome, Sight, Worlds, one};

impl Model {
    pub(super) fn lookup(&self, key: u64, now: Timestamp, keep: impl Fn(&mut Self, FlowId)) -> Worlds {
        let Some((flow, direction)) = self.under(key) else { return one(Outcome::Found(None), self.clone()) };
        let met = self.with(|world| world.expire_if_due(flow, now));
        let entry = met.flows[&flow];
        let found = || {
            let sight = Sight { flow, direction, status: entry.status };
            (Outcome::Found(Some(sight)), met.with(|world| keep(world, flow)))
        };
        if entry.status == Status::Active || entry.linked && entry.handles > 0 {
            return vec![found()];
        }
        // Met as one that nobody holds, its slot may be cleared, now or later. A burst may count as a holder.
        let cleared = met.with(|world| world.entry(flow).linked = false);
        let mut worlds = vec![(Outcome::Found(None), cleared)];
        if entry.linked {
            worlds.push((Outcome::Found(None), met.clone()));
            if met.is_borrowed(flow) {
                worlds.push(found());
            }
        }
        worlds
    }

    /// A handle from a reference that does not keep the flow: a burst may or may not keep it.
    pub(super) fn revive(&self, flow: FlowId) -> Worlds {
        let gone = (Outcome::Granted(false), self.clone());
        let Some(entry) = self.flows.get(&flow) else { return vec![gone] };
        let revived = (Outcome::Granted(true), self.with(|world| world.entry(flow).handles += 1));
        if entry.is_kept() { vec![revived] } else { vec![revived, gone] }
    }
}
