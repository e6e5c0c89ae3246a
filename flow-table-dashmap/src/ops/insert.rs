use flow_table_api::{Direction, InsertError, Inserted, Key, KeyHash, NewFlow, Timestamp, Value};

use crate::base::sync::Arc;
use crate::core::Core;
use crate::flow::handle::FlowHandle;
use crate::flow::record::Record;
use crate::flow::strong::Strong;
use crate::ops::incoming::Incoming;
use crate::ops::keys::Keys;

/// What an insertion does if there is a live flow under its forward key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// The live flow is replaced.
    Replace,
    /// The new flow is refused.
    Keep,
}

/// Why a flow is not inserted.
enum Refusal<K, V> {
    /// A live flow has a key.
    Held { holder: FlowHandle<K, V>, key: Direction },
    /// The table has no room.
    Full { capacity: usize },
}

/// The result of an insertion.
pub(crate) type Insertion<K, V> = Result<Inserted<FlowHandle<K, V>>, InsertError<K, V, FlowHandle<K, V>>>;

/// The result of a preparation.
pub(crate) type Preparation<K, V> = Result<FlowHandle<K, V>, InsertError<K, V, FlowHandle<K, V>>>;

// An insertion has two halves, both under the stripes of the keys. The first half looks at the flows under the
// keys. It may panic in `Eq` and may refuse, and it changes nothing except that it ends flows that are due. The
// second half fills the slots and makes the flow active, which is the moment of the insertion. It runs no user
// code and cannot fail. Until then a look-up that finds the flow waits for the stripe, so it sees the state before
// or after.
//
// Variables whose drop may run user code are declared before the stripes are locked, or moved out.
impl<K: Key + Clone, V: Value> Core<K, V> {
    /// Inserts the flow. A live flow that keeps a key is reported as a conflict, whatever the policy. `hash`
    /// returns the hash of a key, which may be known.
    pub(crate) fn insert(
        &self,
        flow: NewFlow<K, V>,
        hash: impl Fn(&K, Option<KeyHash>) -> u64,
        now: Timestamp,
        policy: Policy,
    ) -> Insertion<K, V> {
        let mut flow = Incoming::new(flow);
        let (key, reply) = (flow.get().key(), flow.get().reply_key());
        if reply == Some(key) {
            return Err(InsertError::IdenticalKeys { flow: flow.take() });
        }
        let forward = (key, hash(key, flow.get().hash()));
        let mut keys = Keys::new(forward, reply.map(|key| (key, hash(key, flow.get().reply_hash()))));
        let result = self.insert_under(&mut keys, &mut flow, now, policy);
        // Dropped here and not at the end of the scope: by then, the result would leak if the drop of a key
        // panics.
        drop(keys);
        result.map_err(|refusal| match refusal {
            Refusal::Held { holder, key } => InsertError::Conflict { flow: flow.take(), holder, key },
            Refusal::Full { capacity } => InsertError::Full { flow: flow.take(), capacity },
        })
    }

    /// Makes the flow, but does not insert it.
    pub(crate) fn prepare(
        &self,
        flow: NewFlow<K, V>,
        hash: impl Fn(&K, Option<KeyHash>) -> u64,
    ) -> Preparation<K, V> {
        let mut flow = Incoming::new(flow);
        let new = flow.get();
        let (key, reply) = (new.key(), new.reply_key());
        if reply == Some(key) {
            return Err(InsertError::IdenticalKeys { flow: flow.take() });
        }
        let hashes = (hash(key, new.hash()), reply.map(|key| hash(key, new.reply_hash())));
        let queue = self.queues.mine_or_claim(&self.shared);
        let record = Strong::new(Record::new(flow.take(), hashes, None, Arc::clone(&queue.home)));
        Ok(FlowHandle::new(record, Direction::Forward))
    }

    fn insert_under(
        &self,
        keys: &mut Keys<K, V>,
        flow: &mut Incoming<K, V>,
        now: Timestamp,
        policy: Policy,
    ) -> Result<Inserted<FlowHandle<K, V>>, Refusal<K, V>> {
        let queue = self.queues.mine_or_claim(&self.shared);
        let held = keys.hold(self);
        let replaced = self.clear_the_way(flow.get(), keys, now, policy)?;
        let id = queue.next_id();
        let record = Strong::new(Record::new(flow.take(), keys.hashes(), Some(id), Arc::clone(&queue.home)));
        keys.fill(id, &record, replaced.as_ref(), self);
        let filing = queue.lock().activate(id, &record, now);
        drop(held);
        self.shared.ring(filing);
        let mut inserted = Inserted::new(FlowHandle::new(record, Direction::Forward));
        inserted.replaced = replaced;
        Ok(inserted)
    }

    /// Checks that the keys are free or may be taken, and counts the new flow, in the place of the flow that it
    /// replaces or in another. Returns the flow that it replaces.
    fn clear_the_way(
        &self,
        flow: &NewFlow<K, V>,
        keys: &mut Keys<K, V>,
        now: Timestamp,
        policy: Policy,
    ) -> Result<Option<FlowHandle<K, V>>, Refusal<K, V>> {
        let old = match (keys.look(Direction::Forward, flow.key(), self, now), policy) {
            (Some(holder), Policy::Keep) => return Err(Refusal::Held { holder, key: Direction::Forward }),
            (old, _) => old,
        };
        let other = flow.reply_key().and_then(|key| keys.look(Direction::Reply, key, self, now));
        if let Some(holder) = other.filter(|holder| old.as_ref() != Some(holder)) {
            return Err(Refusal::Held { holder, key: Direction::Reply });
        }
        if old.as_ref().is_some_and(|old| self.replace(old.record(), now)) {
            return Ok(old);
        }
        // If the old flow has just ended in another way, it is not replaced, but its place may still be needed.
        if self.take_place(now, old.as_ref().map(FlowHandle::record)) {
            return Ok(None);
        }
        self.refusals.add();
        Err(Refusal::Full { capacity: self.held.limit() })
    }
}
