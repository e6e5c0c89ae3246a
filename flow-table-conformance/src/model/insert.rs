use flow_table_api::{Direction, Status, Timeout, Timestamp};

use super::{Admitted, End, Entry, FlowId, Model, Outcome, Refusal, Spec, Worlds, one};

/// The flow that has a key of the new one: which, by which of its own keys, and which of the new one's.
#[derive(Clone, Copy)]
pub(super) struct Holder {
    pub(super) flow: FlowId,
    direction: Direction,
    key: Direction,
}

impl Holder {
    /// Whether it has the forward key of the new one.
    pub(super) const fn is_forward(&self) -> bool {
        matches!(self.key, Direction::Forward)
    }
}

impl Model {
    pub(super) fn insert(&self, spec: &Spec, now: Timestamp, replace: bool, seen: &Outcome) -> Worlds {
        if spec.reply == Some(spec.key) {
            return one(refused(Refusal::IdenticalKeys), self.clone());
        }
        if let Some(worlds) = self.switched(spec, now, seen) {
            return worlds;
        }
        let holders = self.holders(spec.key, spec.reply);
        let live: Vec<_> = holders.iter().filter(|holder| self.flows[&holder.flow].is_live(now)).collect();
        let replaced = live.iter().find(|holder| replace && holder.key == Direction::Forward).map(|one| one.flow);
        if let Some(Holder { flow: holder, direction, key }) = live.iter().find(|one| Some(one.flow) != replaced) {
            let (holder, direction, key) = (*holder, *direction, *key);
            let outcome = if replace {
                refused(Refusal::Conflict { holder, direction, key })
            } else {
                Outcome::Inserted(Ok(Admitted::Existing { holder, direction, key, rejected: true }))
            };
            return self.given(holder).refusing(&outcome, &holders, now);
        }
        let needs_room = replaced.is_none() && self.len() >= self.capacity;
        self.admit(needs_room, &holders, now, seen, |world| {
            if let Some(old) = replaced {
                world.replace(old);
            }
            world.start(spec, now);
            replaced
        })
    }

    /// Takes a flow out that another one replaces.
    pub(super) fn replace(&mut self, old: FlowId) {
        self.entry(old).handles += 1;
        self.detach(old);
        self.ended.removed -= 1;
        self.ended.replaced += 1;
    }

    /// Puts a new flow in.
    pub(super) fn start(&mut self, spec: &Spec, now: Timestamp) {
        self.flows.insert(spec.id, new_entry(spec, now));
    }

    pub(super) fn get_or_insert(&self, key: u64, spec: &Spec, now: Timestamp, seen: &Outcome) -> Worlds {
        let met = self.under(key);
        if let Some((holder, direction)) = met.filter(|(flow, _)| self.flows[flow].is_live(now)) {
            let existing = Admitted::Existing { holder, direction, key: direction, rejected: false };
            return one(Outcome::Inserted(Ok(existing)), self.given(holder));
        }
        let worlds = self.after_meeting(met.map(|(flow, _)| flow), now).into_iter();
        if spec.key != key && spec.reply != Some(key) {
            return worlds.map(|world| (refused(Refusal::KeyMismatch), world)).collect();
        }
        worlds.flat_map(|world| world.insert(spec, now, false, seen)).collect()
    }

    pub(super) fn reinsert(&self, flow: FlowId, now: Timestamp, seen: &Outcome) -> Worlds {
        let entry = self.flows[&flow];
        match entry.status {
            Status::Cancelled => return one(refused(Refusal::Cancelled), self.clone()),
            Status::Active if entry.is_live(now) => return one(refused(Refusal::Active), self.clone()),
            Status::Active => {
                // Due, though nobody has noticed: the table may notice now, or call it active.
                let mut worlds = one(refused(Refusal::Active), self.clone());
                worlds.extend(self.with(|world| world.expire_if_due(flow, now)).reinsert(flow, now, seen));
                return worlds;
            }
            Status::Detached | Status::Expired => {}
        }
        let mut holders = self.holders(entry.key, entry.reply);
        holders.retain(|holder| holder.flow != flow);
        if let Some(&Holder { flow: holder, direction, key }) =
            holders.iter().find(|holder| self.flows[&holder.flow].is_live(now))
        {
            let outcome = refused(Refusal::Conflict { holder, direction, key });
            return self.given(holder).refusing(&outcome, &holders, now);
        }
        // One that waits for a reap has its place.
        let needs_room = !entry.waiting && self.len() >= self.capacity;
        self.admit(needs_room, &holders, now, seen, |world| {
            let entry = world.entry(flow);
            entry.status = Status::Active;
            entry.deadline = now + entry.timeout;
            entry.linked = true;
            entry.waiting = false;
            entry.handles += 1;
            None
        })
    }

    /// The insertion, unless it needs room and there is none.
    pub(super) fn admit(
        &self,
        needs_room: bool,
        holders: &[Holder],
        now: Timestamp,
        seen: &Outcome,
        install: impl Fn(&mut Self) -> Option<FlowId>,
    ) -> Worlds {
        let mut worlds = Vec::new();
        let mut made_room: &[End] = &[];
        if needs_room {
            // With more flows than the limit allows, room for one may be more than the table is ready to make.
            if self.len() > self.capacity || !self.flows.values().any(|entry| entry.is_due(now)) {
                // What it looked at in vain, it may have expired.
                let full = refused(Refusal::Full { capacity: self.capacity });
                let due = self.flows.iter().filter(|(_, entry)| entry.is_due(now)).map(|(&flow, _)| flow);
                let after = self.with(|world| world.refusals += 1).after_meeting(due, now);
                worlds = after.into_iter().map(|world| (full.clone(), world)).collect();
            }
            let Outcome::Inserted(Ok(Admitted::New { made_room: chosen, .. })) = seen else { return worlds };
            if !self.may_hand_over(chosen, now) || self.len() >= self.capacity + chosen.len() {
                return worlds;
            }
            made_room = chosen;
        }
        for mut world in self.hand_over(made_room, now) {
            for holder in holders {
                world.expire_if_due(holder.flow, now);
            }
            world.inserts += 1;
            let replaced = install(&mut world);
            for holder in holders.iter().filter(|holder| Some(holder.flow) != replaced) {
                world.entry(holder.flow).linked = false;
                world.let_go(holder.flow);
            }
            let admitted = Admitted::New { replaced, made_room: made_room.to_vec() };
            worlds.push((Outcome::Inserted(Ok(admitted)), world));
        }
        worlds
    }

    /// The flows under these keys, forward first; one that has both comes once.
    pub(super) fn holders(&self, key: u64, reply: Option<u64>) -> Vec<Holder> {
        let keys = [(Some(key), Direction::Forward), (reply, Direction::Reply)];
        let mut holders: Vec<Holder> = Vec::new();
        for (key, mine) in keys {
            let Some((flow, direction)) = key.and_then(|key| self.under(key)) else { continue };
            if holders.iter().all(|holder| holder.flow != flow) {
                holders.push(Holder { flow, direction, key: mine });
            }
        }
        holders
    }

    /// One handle more.
    fn given(&self, flow: FlowId) -> Self {
        self.with(|world| world.entry(flow).handles += 1)
    }

    /// An insertion refused: it may have expired what is due under its keys, and changes nothing else.
    fn refusing(&self, outcome: &Outcome, holders: &[Holder], now: Timestamp) -> Worlds {
        let worlds = self.after_meeting(holders.iter().map(|holder| holder.flow), now).into_iter();
        worlds.map(|world| (outcome.clone(), world)).collect()
    }

    /// The states after somebody has met these flows, and expired each that is due, or not.
    pub(super) fn after_meeting(&self, met: impl IntoIterator<Item = FlowId>, now: Timestamp) -> Vec<Self> {
        let mut worlds = vec![self.clone()];
        for flow in met {
            let noticed: Vec<_> =
                worlds.iter().map(|world| world.with(|world| world.expire_if_due(flow, now))).collect();
            worlds.extend(noticed.into_iter().filter(|world| world.flows[&flow] != self.flows[&flow]));
        }
        worlds
    }
}

fn new_entry(spec: &Spec, now: Timestamp) -> Entry {
    let timeout = Timeout::from(spec.timeout).as_duration();
    Entry {
        key: spec.key,
        reply: spec.reply,
        timeout,
        on_expiry: spec.on_expiry,
        status: Status::Active,
        deadline: now + timeout,
        linked: true,
        waiting: false,
        handles: 1,
    }
}

const fn refused(refusal: Refusal) -> Outcome {
    Outcome::Inserted(Err(refusal))
}
