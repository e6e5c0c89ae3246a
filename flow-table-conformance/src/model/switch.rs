//! Operations on their way: what others may see of one that is not done. To expire a flow is an operation of its
//! own.
//!
//! Operations are linearizable key by key (contract X1). An insertion that replaces a flow with another key
//! besides is of one moment for each key, but these need not be the same moment.

use flow_table_api::{Status, Timestamp};

use super::{FlowId, Model, Moment, Op, Spec, Switch, Worlds};

impl Model {
    /// The states in which an operation may be of which `moment` is to come: it may have expired flows under its
    /// keys, an insertion may have taken the keys from flows that had ended, or have ended the flow that it
    /// replaces.
    pub fn underway(&self, moment: &Moment) -> Vec<Self> {
        match moment {
            Moment::Whole(op, _) => self.part_of(op),
            &Moment::Found { key, now, .. } => self.part_of(&Op::Lookup { key, now }),
            _ => Vec::new(),
        }
    }

    fn part_of(&self, op: &Op) -> Vec<Self> {
        let (key, reply, now) = match op {
            Op::Lookup { key, now } => (*key, None, *now),
            Op::Insert { flow, now } | Op::InsertIfAbsent { flow, now } => (flow.key, flow.reply, *now),
            Op::Reinsert { flow, now } => (self.flows[flow].key, self.flows[flow].reply, *now),
            _ => return Vec::new(),
        };
        if self.waits(op) {
            return Vec::new();
        }
        let met: Vec<_> = self.holders(key, reply).into_iter().map(|holder| holder.flow).collect();
        let mut worlds = self.after_meeting(met.iter().copied(), now);
        if !matches!(op, Op::Lookup { .. }) {
            worlds.push(self.with(|world| world.make_way(&met)));
        }
        worlds.retain(|world| world != self);
        if let Op::Insert { flow, now } = op {
            worlds.extend(self.switch(flow, *now));
        }
        worlds
    }

    /// Look-ups find those of these flows no longer that have ended.
    fn make_way(&mut self, met: &[FlowId]) {
        for &flow in met {
            let entry = self.entry(flow);
            entry.linked &= entry.status == Status::Active;
        }
    }

    /// The flow that `spec` replaces has ended, if it has not all keys of the new one.
    fn switch(&self, spec: &Spec, now: Timestamp) -> Option<Self> {
        let holders = self.holders(spec.key, spec.reply);
        let mut live = holders.iter().filter(|holder| self.flows[&holder.flow].is_live(now));
        let old = live.next().filter(|holder| holder.is_forward())?.flow;
        let has = |key: &u64| self.flows[&old].direction_of(*key).is_some();
        let keys = [Some(spec.key).filter(has), spec.reply.filter(has)];
        if live.next().is_some() || self.switching.contains_key(&spec.id) || keys == [Some(spec.key), spec.reply] {
            return None;
        }
        Some(self.with(|world| {
            world.replace(old);
            world.switching.insert(spec.id, Switch { old, keys });
        }))
    }

    /// The rest of an insertion that is on its way, if it is.
    pub(super) fn switched(&self, spec: &Spec, now: Timestamp) -> Option<Worlds> {
        let Switch { old, .. } = *self.switching.get(&spec.id)?;
        let holders = self.holders(spec.key, spec.reply);
        if holders.iter().any(|holder| self.flows[&holder.flow].is_live(now)) {
            return Some(Vec::new());
        }
        let mut rest = self.clone();
        rest.switching.remove(&spec.id);
        Some(rest.admit(false, &holders, now, |world| {
            world.start(spec, now);
            Some(old)
        }))
    }

    /// Whether `op` has a key that waits for an insertion on its way.
    pub(super) fn waits(&self, op: &Op) -> bool {
        if self.switching.is_empty() {
            return false;
        }
        let (id, keys) = match *op {
            Op::Lookup { key, .. } | Op::BurstGet { key, .. } | Op::Remove { key } => (None, [Some(key), None]),
            Op::Insert { flow, .. } | Op::InsertIfAbsent { flow, .. } => {
                (Some(flow.id), [Some(flow.key), flow.reply])
            }
            // Of a hit, the one key that was looked up. A miss is an insertion of its own.
            Op::GetOrInsertWith { flow, .. } => (None, [Some(flow.key), None]),
            Op::Reinsert { flow, .. } => (None, [Some(self.flows[&flow].key), self.flows[&flow].reply]),
            _ => return false,
        };
        let mut others = self.switching.iter().filter(|(other, _)| Some(**other) != id);
        others.any(|(_, switch)| keys.iter().any(|key| key.is_some() && switch.keys.contains(key)))
    }
}
