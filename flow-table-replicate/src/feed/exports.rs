//! Final records that wait until nobody else can make the same ones.
//!
//! If an owner exported a flow's end at once and failed, and the record of that end were lost with it, its standby
//! would go on with the flow and export it again. So final records wait: first until the log has all ends that
//! were recorded before, and then until a later batch of this process has come back through the log. A claim of
//! another gateway that is before that one has been read by then, and what it covers is not exported here. If a
//! record of an end was lost on the way, the final records wait for the sweep that repairs it.

use flow_table_api::FinalRecord;
use parking_lot::Mutex;

use super::counters::Counting;
use crate::ownership::Ownership;
use crate::{Epoch, ShardId};

/// The most final records that wait.
const MOST: usize = 1 << 20;

/// What the publisher does with final records, whatever their type.
pub trait Exports: Send + Sync {
    fn is_waiting(&self) -> bool;

    /// Sets aside what waits.
    fn seal(&self);

    /// What was set aside waits again.
    fn unseal(&self);

    /// Exports what was set aside, except of shards that this process does not own any more.
    fn release(&self, ownership: &Ownership, counting: &Counting);
}

type Records<K, V> = Vec<(ShardId, Epoch, FinalRecord<K, V>)>;

/// Final records of one type, and where they go.
pub struct Held<K, V, F> {
    waiting: Mutex<Records<K, V>>,
    sealed: Mutex<Records<K, V>>,
    export: F,
}

impl<K, V, F> Held<K, V, F> {
    pub const fn new(export: F) -> Self {
        Self { waiting: Mutex::new(Vec::new()), sealed: Mutex::new(Vec::new()), export }
    }

    /// A flow of this shard has ended.
    pub fn push(&self, shard: ShardId, epoch: Epoch, record: FinalRecord<K, V>, counting: &Counting) {
        let mut waiting = self.waiting.lock();
        if waiting.len() < MOST {
            waiting.push((shard, epoch, record));
        } else {
            counting.unexported.add(1);
        }
    }
}

impl<K: Send, V: Send, F: Fn(FinalRecord<K, V>) + Send + Sync> Exports for Held<K, V, F> {
    fn is_waiting(&self) -> bool {
        !self.waiting.lock().is_empty()
    }

    fn seal(&self) {
        let mut waiting = self.waiting.lock();
        self.sealed.lock().append(&mut waiting);
    }

    fn unseal(&self) {
        let mut waiting = self.waiting.lock();
        waiting.append(&mut self.sealed.lock());
    }

    fn release(&self, ownership: &Ownership, counting: &Counting) {
        let sealed = std::mem::take(&mut *self.sealed.lock());
        for (shard, epoch, record) in sealed {
            let role = ownership.role(shard);
            if role.owned && role.epoch == epoch {
                (self.export)(record);
            } else {
                counting.unexported.add(1);
            }
        }
    }
}
