//! Room in a full table: flows that have ended or are due give up their places, and wait for the next reap
//! (contract C2).

use flow_table_api::{Status, Timestamp};

use super::{FlowId, Model};

impl Model {
    /// Whether an insertion that takes a place may find none free.
    pub(super) fn may_be_full(&self) -> bool {
        self.is_crowded || self.len() >= self.capacity
    }

    /// The states in which an insertion that needs room has it, and those in which it is refused.
    pub(super) fn make_room(&self, now: Timestamp) -> (Vec<Self>, Vec<Self>) {
        let refusing = |world: &Self| world.with(|world| world.refusals += 1);
        if self.is_crowded {
            return (vec![self.clone()], vec![refusing(self)]);
        }
        // More than one if the limit was lowered.
        let wanted = (self.len() + 1).saturating_sub(self.capacity);
        let due = self.flows.values().filter(|entry| entry.is_due(now)).count() - self.dying;
        let most = wanted.min(due).min(self.capacity.saturating_sub(self.dying));
        let roomy = if most == wanted { self.giving_up(wanted, now) } else { Vec::new() };
        let mut refused = Vec::new();
        if most < wanted || wanted > 1 {
            // The search for so many is bounded. What it looked at in vain, it may have expired.
            for world in (0..=most).flat_map(|places| self.giving_up(places, now)) {
                let due: Vec<_> = world.active_and_due(now).collect();
                for world in refusing(&world).after_meeting(due, now) {
                    if !refused.contains(&world) {
                        refused.push(world);
                    }
                }
            }
        }
        (roomy, refused)
    }

    /// The active flows.
    pub fn active(&self) -> impl Iterator<Item = FlowId> {
        self.flows.iter().filter(|(_, entry)| entry.status == Status::Active).map(|(&flow, _)| flow)
    }

    /// The state after an active flow has expired, if it is due.
    pub fn expired(&self, flow: FlowId, now: Timestamp) -> Option<Self> {
        self.flows[&flow].is_due(now).then(|| self.with(|world| world.expire_if_due(flow, now)))
    }

    fn active_and_due(&self, now: Timestamp) -> impl Iterator<Item = FlowId> {
        let due = self.flows.iter().filter(move |(_, entry)| entry.status == Status::Active && entry.is_due(now));
        due.map(|(&flow, _)| flow)
    }

    /// The states after so many flows that are due have given up their places. Of those that wait already it does
    /// not matter which.
    fn giving_up(&self, places: usize, now: Timestamp) -> Vec<Self> {
        let waiting = self.flows.values().filter(|entry| entry.waiting).count() - self.dying;
        let mut worlds = vec![(self.clone(), 0)];
        for flow in self.active_and_due(now) {
            let more = worlds.iter().filter(|(_, expired)| *expired < places);
            let more: Vec<_> = more
                .map(|(world, expired)| (world.with(|world| world.expire_if_due(flow, now)), expired + 1))
                .collect();
            worlds.extend(more);
        }
        worlds.retain(|(_, expired)| expired + waiting >= places);
        let die = |world: &mut Self| {
            world.dying += places;
            if places > 0 {
                world.flows.values_mut().for_each(|entry| entry.may_be_dying = entry.waiting);
            }
        };
        worlds.into_iter().map(|(world, _)| world.with(die)).collect()
    }

    /// Whether `flow` may wait for a reap in its place.
    pub(super) fn may_have_place(&self, flow: FlowId) -> bool {
        let entry = self.flows[&flow];
        entry.waiting && self.dying <= self.candidates() - usize::from(entry.may_be_dying)
    }

    /// Takes a flow that may be dying off the list of those that do: it was one of them.
    pub(super) fn take_off(&mut self, flow: FlowId) {
        let entry = self.entry(flow);
        entry.waiting = false;
        entry.may_be_dying = false;
        self.fewer_dying(1);
    }

    /// Puts it back on the list.
    pub(super) fn put_on(&mut self, flow: FlowId) {
        let entry = self.entry(flow);
        entry.waiting = true;
        entry.may_be_dying = true;
        self.dying += 1;
    }

    /// Flows that may be dying.
    pub(super) fn candidates(&self) -> usize {
        self.flows.values().filter(|entry| entry.may_be_dying).count()
    }

    /// So many of those that die are handed over, or put back.
    pub(super) fn fewer_dying(&mut self, flows: usize) {
        self.dying -= flows;
        if self.dying == 0 {
            self.flows.values_mut().for_each(|entry| entry.may_be_dying = false);
        }
    }
}
