//! What a record does to a table that follows.

use std::time::Duration;

use flow_table_api::{Flow as _, FlowRef, InsertError, Key, NewFlow, Status, Table, Timestamp, Value};

use std::hash::Hasher as _;

use super::tombstones::Tombstones;
use crate::codec::{Codec, KeyCodec, ValueCodec};
use crate::order::is_later;
use crate::record::{Body, Op, Record};
use crate::{Life, Replicated, Tracked};

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The table has changed.
    Yes,
    /// A newer record of the flow had been applied, or the flow had ended.
    Duplicate,
    /// Its writer no longer owns the shard.
    Stale,
    /// It names a flow that the table does not have.
    Missing,
    /// Its key or value cannot be read.
    Corrupt,
    /// Its key is in another shard.
    Misplaced,
    /// The table cannot take the flow.
    Refused,
}

/// Applies records to `table`.
pub struct Apply<'t, K, V, T, C> {
    pub table: &'t Replicated<K, V, T, C>,
    pub tombstones: &'t mut Tombstones,
    pub now: Timestamp,
    /// The sweep to which the records belong; zero if none.
    pub tag: u64,
}

impl<K: Key, V: Value, T: Table<K, Tracked<V>>, C: Codec<K, V>> Apply<'_, K, V, T, C> {
    pub fn record(&mut self, record: &Record<'_>) -> Applied {
        let feed = self.table.feed();
        let Ok(key) = feed.codec().keys().decode_key(record.key) else {
            return Applied::Corrupt;
        };
        if feed.shard(&key) != record.shard {
            return Applied::Misplaced;
        }
        if !feed.ownership().observe(record.shard, record.epoch) {
            return Applied::Stale;
        }
        let hash = feed.shared().settings.cluster_key.hash(|hasher| hasher.write(record.key));
        let found = self.table.inner().lookup(&key, self.now);
        let found = found.filter(|flow| flow.status() == Status::Active);
        match (record.op, record.body) {
            (Op::End, _) => {
                self.tombstones.insert(self.now, hash, record.epoch, record.life);
                self.end(found, record)
            }
            (_, None) => self.named(found.as_ref(), record),
            (_, Some(_)) if self.tombstones.refuses(hash, record.epoch, record.life) => Applied::Duplicate,
            (_, Some(body)) => self.flow(key, found, record, &body),
        }
    }

    /// Removes exactly the flow that ended.
    fn end(&self, found: Option<T::Ref>, record: &Record<'_>) -> Applied {
        match found.filter(|flow| is_the_same(flow, record)) {
            Some(flow) if self.table.inner().remove_flow(&flow) == Ok(true) => Applied::Yes,
            _ => Applied::Duplicate,
        }
    }

    /// Notes that a sweep has named the flow.
    fn named(&self, found: Option<&T::Ref>, record: &Record<'_>) -> Applied {
        match found {
            Some(flow) if is_the_same(flow, record) => {
                flow.value().set_mark(self.tag);
                Applied::Yes
            }
            Some(flow) if flow.value().life() > record.life => Applied::Duplicate,
            _ => Applied::Missing,
        }
    }

    /// Makes the table's flow as the record says.
    fn flow(&self, key: K, found: Option<T::Ref>, record: &Record<'_>, body: &Body<'_>) -> Applied {
        let found = found.filter(|flow| is_forward(flow, &key));
        let mark = found.as_ref().map_or(0, |flow| flow.value().mark());
        let mark = if self.tag != 0 { self.tag } else { mark };
        if let Some(flow) = &found {
            let tracked = flow.value();
            let (known, new) = ((tracked.writer(), tracked.life()), (record.epoch, record.life));
            if new < known || new == known && !is_later(record.sequence, tracked.sequence()) {
                if tracked.life() == record.life {
                    tracked.set_mark(mark);
                }
                return Applied::Duplicate;
            }
            if tracked.life() == record.life && self.is_as_before(flow, body) {
                self.prolong(flow, body);
                tracked.follow(record.epoch, record.sequence);
                tracked.set_mark(mark);
                return Applied::Yes;
            }
        }
        match self.made(key, record, body, mark) {
            Some(flow) => self.install(flow, body),
            None => Applied::Corrupt,
        }
    }

    /// Whether the record changes nothing but times.
    fn is_as_before(&self, flow: &T::Ref, body: &Body<'_>) -> bool {
        let codec = self.table.feed().codec();
        let mut form = Vec::new();
        codec.values().encode_value(flow.value().value(), &mut form);
        if form != body.value || flow.on_expiry() != body.on_expiry {
            return false;
        }
        form.clear();
        flow.reply_key().into_iter().for_each(|reply| codec.keys().encode_key(reply, &mut form));
        form == body.reply.unwrap_or_default()
    }

    /// The deadline on this machine: later than the owner's by two sweeps, so that a flow that nobody repeats runs
    /// out by itself, and by the quarter of the timeout by which the owner's may have moved without a record.
    fn deadline(&self, body: &Body<'_>) -> Timestamp {
        let slack = self.table.feed().shared().settings.slack();
        self.now + Duration::from_nanos(body.remaining) + body.timeout.as_duration() / 4 + slack
    }

    fn prolong(&self, flow: &T::Ref, body: &Body<'_>) {
        let deadline = self.deadline(body);
        if flow.timeout() != body.timeout.as_duration() {
            // If the flow has ended meanwhile, that stands.
            let _ = flow.set_timeout(body.timeout, self.now);
        }
        let _ = flow.set_deadline(deadline);
    }

    fn made(&self, key: K, record: &Record<'_>, body: &Body<'_>, mark: u64) -> Option<NewFlow<K, Tracked<V>>> {
        let codec = self.table.feed().codec();
        let value = codec.values().decode_value(body.value).ok()?;
        let order = (record.life, record.sequence);
        let flow = NewFlow::new(key, Tracked::followed(record.shard, record.epoch, order, mark, value))
            .timeout(body.timeout)
            .on_expiry(body.on_expiry);
        match body.reply {
            Some(reply) => Some(flow.reply(codec.keys().decode_key(reply).ok()?)),
            None => Some(flow),
        }
    }

    /// Puts the flow in. The owner's table had room for both of its keys: a flow here that has one of them has
    /// ended there, and its end is on the way.
    fn install(&self, mut flow: NewFlow<K, Tracked<V>>, body: &Body<'_>) -> Applied {
        let table = self.table.inner();
        // Each of its two keys may be held by one flow.
        for _ in 0..3 {
            match table.insert(flow, self.now) {
                Ok(inserted) => {
                    let _ = inserted.flow.set_deadline(self.deadline(body));
                    return Applied::Yes;
                }
                Err(InsertError::Conflict { flow: back, holder, .. }) => {
                    if self.table.feed().ownership().role(holder.value().shard()).owned {
                        return Applied::Refused;
                    }
                    let _ = table.remove_flow(&holder);
                    flow = back;
                }
                Err(_) => return Applied::Refused,
            }
        }
        Applied::Refused
    }
}

fn is_forward<K: PartialEq, V, R: FlowRef<K, Tracked<V>>>(flow: &R, key: &K) -> bool {
    flow.key() == key
}

fn is_the_same<K, V, R: FlowRef<K, Tracked<V>>>(flow: &R, record: &Record<'_>) -> bool {
    let life: Life = flow.value().life();
    life == record.life && flow.value().shard() == record.shard
}
