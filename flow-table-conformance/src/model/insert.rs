use flow_table_api::{Direction, Status, Timeout, Timestamp};

use super::{Admitted, Entry, FlowId, Model, Outcome, Refusal, Spec, Worlds, one};

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
    pub(super) fn insert(&self, spec: &Spec, now: Timestamp, replace: bool) -> Worlds {
        if spec.reply == Some(spec.key) {
            return one(refused(Refusal::IdenticalKeys), self.clone());
        }
        if let Some(worlds) = self.switched(spec, now) {
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
        let needs_room = replaced.is_none() && self.may_be_full();
        self.admit(needs_room, &holders, now, |world| {
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

    pub(super) fn get_or_insert(&self, spec: &Spec, now: Timestamp) -> Worlds {
        let met = self.under(spec.key);
        if let Some((holder, direction)) = met.filter(|(flow, _)| self.flows[flow].is_live(now)) {
            let existing = Admitted::Existing { holder, direction, key: Direction::Forward, rejected: false };
            return one(Outcome::Inserted(Ok(existing)), self.given(holder));
        }
        let worlds = self.after_meeting(met.map(|(flow, _)| flow), now).into_iter();
        worlds.flat_map(|world| world.insert(spec, now, false)).collect()
    }

    pub(super) fn reinsert(&self, flow: FlowId, now: Timestamp) -> Worlds {
        let entry = self.flows[&flow];
        match entry.status {
            Status::Cancelled => return one(refused(Refusal::Cancelled), self.clone()),
            Status::Active if entry.is_live(now) => return one(refused(Refusal::Active), self.clone()),
            Status::Active => {
                // Due, though nobody has noticed: the table may notice now, or call it active.
                let mut worlds = one(refused(Refusal::Active), self.clone());
                worlds.extend(self.with(|world| world.expire_if_due(flow, now)).reinsert(flow, now));
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
        let back = |world: &mut Self| {
            let entry = world.entry(flow);
            entry.status = Status::Active;
            entry.deadline = now + entry.timeout;
            entry.linked = true;
            entry.waiting = false;
            entry.may_be_dying = false;
            entry.handles += 1;
            None
        };
        // One that waits for a reap has its place, unless it has given that up.
        let mut worlds = Vec::new();
        if !entry.waiting {
            worlds.extend(self.admit(self.may_be_full(), &holders, now, back));
        }
        if self.may_have_place(flow) {
            worlds.extend(self.admit(self.is_crowded, &holders, now, back));
        }
        if entry.may_be_dying {
            let taken = self.with(|world| world.take_off(flow));
            let mut outcomes = taken.admit(taken.len() >= self.capacity, &holders, now, back);
            if self.dying >= self.capacity && taken.len() >= self.capacity {
                // It may count among those that die until it is back.
                let full = refused(Refusal::Full { capacity: self.capacity });
                outcomes.extend(taken.with(|world| world.refusals += 1).refusing(&full, &holders, now));
            }
            worlds.extend(outcomes.into_iter().map(|(outcome, world)| {
                let after = if outcome.is_full() { world.with(|world| world.put_on(flow)) } else { world };
                (outcome, after)
            }));
        }
        worlds
    }

    /// The insertion, unless it needs room and there is none.
    pub(super) fn admit(
        &self,
        needs_room: bool,
        holders: &[Holder],
        now: Timestamp,
        install: impl Fn(&mut Self) -> Option<FlowId>,
    ) -> Worlds {
        let full = refused(Refusal::Full { capacity: self.capacity });
        let (roomy, refusing) = if needs_room { self.make_room(now) } else { (vec![self.clone()], Vec::new()) };
        let mut worlds: Worlds = refusing.iter().flat_map(|world| world.refusing(&full, holders, now)).collect();
        for mut world in roomy {
            for holder in holders {
                world.expire_if_due(holder.flow, now);
            }
            world.inserts += 1;
            let replaced = install(&mut world);
            for holder in holders.iter().filter(|holder| Some(holder.flow) != replaced) {
                world.entry(holder.flow).linked = false;
                world.let_go(holder.flow);
            }
            worlds.push((Outcome::Inserted(Ok(Admitted::New { replaced })), world));
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
        may_be_dying: false,
        handles: 1,
    }
}

const fn refused(refusal: Refusal) -> Outcome {
    Outcome::Inserted(Err(refusal))
}
