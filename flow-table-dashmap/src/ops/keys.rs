use flow_table_api::{Direction, Key, Timestamp, Value};

use crate::base::id::FlowId;
use crate::base::panics::Panics;
use crate::core::{Core, Occupant};
use crate::flow::handle::FlowHandle;
use crate::flow::strong::Strong;
use crate::map::stripes::Held;

/// The keys of a flow that is being inserted. It is made before the stripes are locked and dropped afterwards,
/// because copying and dropping keys and occupants may run user code.
pub(crate) struct Keys<K, V> {
    forward: Place<K, V>,
    reply: Option<Place<K, V>>,
    /// Keys of slots that were removed.
    removed: Vec<K>,
}

/// One key: its hash, a copy for the map if the map needs one, and the occupant of the key.
struct Place<K, V> {
    hash: u64,
    spare: Option<K>,
    occupant: Option<Occupant<K, V>>,
}

impl<K: Key + Clone, V: Value> Keys<K, V> {
    /// Copies the keys. Each comes with its hash.
    pub(crate) fn new(forward: (&K, u64), reply: Option<(&K, u64)>) -> Self {
        let place = |(key, hash): (&K, u64)| Place { hash, spare: Some(key.clone()), occupant: None };
        let mut keys = Self { forward: place(forward), reply: None, removed: Vec::new() };
        keys.reply = reply.map(place);
        keys
    }

    /// The hash of each key.
    pub(crate) fn hashes(&self) -> (u64, Option<u64>) {
        (self.forward.hash, self.reply.as_ref().map(|place| place.hash))
    }

    /// Locks the stripes of the keys. From then on no other thread fills their slots.
    pub(crate) fn hold<'s>(&self, core: &'s Core<K, V>) -> Held<'s> {
        let (forward, reply) = self.hashes();
        core.stripes.hold(forward, reply)
    }

    /// Returns a handle to the live flow under the key for `direction`, which is `key`. A flow that is due is
    /// expired at once.
    ///
    /// Runs `Eq` of keys, which may panic. The answer is valid until the stripes are unlocked, except that the
    /// flow may end.
    pub(crate) fn look(
        &mut self,
        direction: Direction,
        key: &K,
        core: &Core<K, V>,
        now: Timestamp,
    ) -> Option<FlowHandle<K, V>> {
        let place = match direction {
            Direction::Forward => &mut self.forward,
            Direction::Reply => self.reply.as_mut()?,
        };
        place.occupant = core.occupant(place.hash, key);
        let occupant = place.occupant.as_ref()?;
        let flow = occupant.flow.as_ref().filter(|flow| flow.is_live_or_expires(now))?;
        Some(FlowHandle::new(flow.clone(), occupant.slot.direction()))
    }

    /// Makes the slots lead to `flow` as `id`, and removes the other slots of the occupants, which have all ended:
    /// a flow that has lost one key is not found by the other. Slots of a detached occupant are left to the thread
    /// that detached it. If that thread is replacing the occupant under its other key, a look-up of that key must
    /// still find the slot. The flow that this insertion `replaced` was detached by this thread.
    ///
    /// Runs no user code. All slots are filled first, so a key that changes hands is never without a slot.
    pub(crate) fn fill(
        &mut self,
        id: FlowId,
        flow: &Strong<K, V>,
        replaced: Option<&FlowHandle<K, V>>,
        core: &Core<K, V>,
    ) {
        self.forward.fill(id, Direction::Forward, flow, core);
        if let Some(reply) = &mut self.reply {
            reply.fill(id, Direction::Reply, flow, core);
        }
        for place in [Some(&self.forward), self.reply.as_ref()].into_iter().flatten() {
            if let Some(Occupant { slot, flow: Some(ended) }) = &place.occupant
                && (!ended.is_detached() || replaced.is_some_and(|old| old.record() == ended))
            {
                self.removed.extend(ended.remove_slots(slot.flow()).into_iter().flatten());
            }
        }
    }
}

impl<K, V> Drop for Keys<K, V> {
    fn drop(&mut self) {
        let mut panics = Panics::default();
        for place in [Some(&mut self.forward), self.reply.as_mut()].into_iter().flatten() {
            panics.catch(|| drop(place.spare.take()));
            panics.catch(|| drop(place.occupant.take()));
        }
        panics.drop_each(self.removed.drain(..));
        panics.resume();
    }
}

impl<K, V> Place<K, V> {
    fn fill(&mut self, id: FlowId, direction: Direction, flow: &Strong<K, V>, core: &Core<K, V>) {
        let over = self.occupant.as_ref().map(|occupant| occupant.slot);
        core.shared.slots.fill((self.hash, &mut self.spare), id.slot(direction), over, flow.downgrade());
    }
}
