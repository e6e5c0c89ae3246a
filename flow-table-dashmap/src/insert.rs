use std::sync::Arc;

use flow_table_api::{Direction, InsertError, Inserted, Key, NewFlow, Timestamp, Value};

use crate::flow::Record;
use crate::handle::FlowHandle;
use crate::heap::Taken;
use crate::keys::Keys;
use crate::shared::Shared;
use crate::strong::Strong;

/// What an insertion does about a live flow under its forward key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// It gives way.
    Replace,
    /// The insertion does.
    Keep,
}

/// What the first, fallible half of an insertion found.
enum Finding<K, V> {
    /// The way is free, and the new flow counted.
    Free { replaced: Option<FlowHandle<K, V>>, made_room: Vec<Taken<K, V>> },
    /// A live flow has a key.
    Held { holder: FlowHandle<K, V>, key: Direction },
    /// There is no room.
    Full,
}

type Insertion<K, V> = Result<Inserted<FlowHandle<K, V>>, InsertError<K, V, FlowHandle<K, V>>>;

// Insertion has two halves, both under the stripes of the keys. The first looks at what stands under the keys: it may
// panic in `Eq` and may refuse, and changes nothing but what time has ended anyway. The second fills the slots and makes the
// flow active, which is the moment of the insertion: it calls nothing of the user's and cannot fail. Until then a
// look-up that comes upon the flow waits for the stripe, so it sees what was before or what is after.
//
// What may run user code when it is dropped is declared before the stripes are locked, or moved out.
impl<K: Key + Clone, V: Value> Shared<K, V> {
    /// Inserts the flow. A live flow that keeps a key is reported as a conflict, whatever the policy.
    pub(crate) fn insert(
        self: &Arc<Self>,
        flow: NewFlow<K, V>,
        now: Timestamp,
        policy: Policy,
    ) -> Insertion<K, V> {
        if flow.reply_key() == Some(flow.key()) {
            return Err(InsertError::IdenticalKeys { flow });
        }
        let mut keys = Keys::new(self, flow.key(), flow.reply_key());
        let result = self.insert_under(&mut keys, flow, now, policy);
        // Not left to the end of the scope: what is being returned by then leaks if a key panics in its drop.
        drop(keys);
        result
    }

    fn insert_under(
        self: &Arc<Self>,
        keys: &mut Keys<K, V>,
        flow: NewFlow<K, V>,
        now: Timestamp,
        policy: Policy,
    ) -> Insertion<K, V> {
        let home = self.registry.mine_or_claim(self);
        let held = keys.hold(self);
        let (replaced, made_room) = match self.find_room(&flow, keys, now, policy) {
            Finding::Free { replaced, made_room } => (replaced, made_room),
            Finding::Held { holder, key } => return Err(InsertError::Conflict { flow, holder, key }),
            Finding::Full => {
                self.refusals.add();
                return Err(InsertError::Full { flow, capacity: self.held.limit() });
            }
        };
        let id = home.next_id();
        let record = Strong::new(Record::new(flow, keys.hashes(), id, Arc::clone(&home)));
        keys.fill(id, &record, replaced.as_ref(), self);
        home.lock().activate(id, &record, now + record.options.timeout());
        drop(held);
        let mut inserted = inserted(record, made_room);
        inserted.replaced = replaced;
        Ok(inserted)
    }

    /// Looks whether the keys are free or may be taken, and for room.
    fn find_room(
        &self,
        flow: &NewFlow<K, V>,
        keys: &mut Keys<K, V>,
        now: Timestamp,
        policy: Policy,
    ) -> Finding<K, V> {
        let old = match (keys.look(Direction::Forward, flow.key(), self, now), policy) {
            (Some(holder), Policy::Keep) => return Finding::Held { holder, key: Direction::Forward },
            (old, _) => old,
        };
        let other = flow.reply_key().and_then(|key| keys.look(Direction::Reply, key, self, now));
        match (other, old) {
            (Some(holder), old) if old.as_ref() != Some(&holder) => {
                Finding::Held { holder, key: Direction::Reply }
            }
            // The old flow's place in the count passes on. If it ends otherwise this moment, it is not replaced.
            (_, Some(old)) if old.record().replace(now) => {
                Finding::Free { replaced: Some(old), made_room: Vec::new() }
            }
            _ => match self.make_room(now) {
                Some(made_room) => Finding::Free { replaced: None, made_room },
                None => Finding::Full,
            },
        }
    }
}

/// What an insertion returns. Runs under no lock.
pub(crate) fn inserted<K, V>(flow: Strong<K, V>, made_room: Vec<Taken<K, V>>) -> Inserted<FlowHandle<K, V>> {
    let mut inserted = Inserted::new(FlowHandle::new(flow, Direction::Forward));
    inserted.made_room = made_room.into_iter().map(Taken::let_go).collect();
    inserted
}
