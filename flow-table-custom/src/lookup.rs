//! Look-ups: no lock, no hash but the key's own, one line of the table and one of the flow.

use std::hash::BuildHasher;

use flow_table_api::state::Expiry;
use flow_table_api::{Direction, Flow, Key, OnExpiry, Status, Timestamp, Value};

use crate::core::Core;
use crate::entry::{Entry, FlowEntry, HELD};
use crate::handle::StrongRef;
use crate::hash::KeyHash;
use crate::page::Page;
use crate::segment::{Glance, Seen};
use crate::slot::Slot;

/// Keys whose look-ups overlap: about what a processor can have on its way from memory, and the usual burst.
const GROUP: usize = 32;

#[inline]
pub(crate) fn has_key<K: Key, V>(flow: &FlowEntry<K, V>, direction: Direction, key: &K) -> bool {
    match direction {
        Direction::Forward => flow.key() == key,
        Direction::Reply => flow.reply_key() == Some(key),
    }
}

impl<K: Key, V: Value> Core<K, V> {
    #[inline]
    pub(crate) fn hash(&self, key: &K) -> KeyHash {
        KeyHash::new(self.hasher.hash_one(key))
    }

    #[inline]
    pub(crate) fn lookup(&self, key: &K, hash: KeyHash, now: Timestamp) -> Option<StrongRef<K, V>> {
        let glance = self.segment(hash).glance(hash, |slot| {
            let handle = self.acquire(slot, key)?;
            Some(if handle.is_live(now) { Ok(handle) } else { Err(()) })
        });
        match glance {
            Glance::Met(Ok(handle)) => Some(handle),
            Glance::Miss => None,
            _ => self.search(key, hash, now),
        }
    }

    /// Counts a reference to the flow in `slot`, if it has the key.
    #[inline]
    fn acquire(&self, slot: Slot, key: &K) -> Option<StrongRef<K, V>> {
        let entry = self.entry(slot.entry());
        entry.refs().try_acquire()?;
        // SAFETY: the reference was counted just now.
        let handle = unsafe { StrongRef::from_counted(entry, slot.direction()) };
        has_key(&handle, slot.direction(), key).then_some(handle)
    }

    /// The rest of a look-up, after a glance at the slots and time for the flow to come from memory.
    #[inline]
    pub(crate) fn follow(
        &self,
        key: &K,
        hash: KeyHash,
        glance: Glance<Slot>,
        now: Timestamp,
    ) -> Option<StrongRef<K, V>> {
        match glance {
            Glance::Miss => return None,
            Glance::Met(slot) => {
                let handle = self.acquire(slot, key).filter(|handle| handle.is_live(now));
                if handle.is_some() {
                    return handle;
                }
            }
            Glance::Unsure => {}
        }
        self.search(key, hash, now)
    }

    /// A look-up that waits for a segment that is changing, and ends flows that are due.
    #[inline(never)]
    fn search(&self, key: &K, hash: KeyHash, now: Timestamp) -> Option<StrongRef<K, V>> {
        self.segment(hash).search(hash, |slot| {
            let entry = self.entry(slot.entry());
            let Some(others) = entry.refs().try_acquire() else { return Seen::Other };
            // SAFETY: the reference was counted just now.
            let handle = unsafe { StrongRef::from_counted(entry, slot.direction()) };
            self.see(&handle, slot, key, now, || others).map(|()| handle)
        })
    }

    /// What a look-up for `key` at `now` makes of the flow in `slot`, which `references` others hold, the table included.
    /// Expires it on the spot if it is due.
    #[inline]
    pub(crate) fn see(
        &self,
        flow: &FlowEntry<K, V>,
        slot: Slot,
        key: &K,
        now: Timestamp,
        references: impl FnOnce() -> u32,
    ) -> Seen<()> {
        if !has_key(flow, slot.direction(), key) {
            Seen::Other
        } else if flow.is_live(now) {
            Seen::Found(())
        } else {
            self.see_ended(flow.entry(), now, references())
        }
    }

    #[cold]
    #[inline(never)]
    fn see_ended(&self, entry: Entry<K, V>, now: Timestamp, references: u32) -> Seen<()> {
        let expiry = self.expire(entry, now);
        let kept = || {
            let table = u32::from(entry.options().own(HELD));
            entry.options().on_expiry() == OnExpiry::KeepWhileReferenced && references > table
        };
        match expiry {
            Expiry::NotDue(_) => Seen::Found(()),
            Expiry::Expired | Expiry::NotActive(Status::Expired) if kept() => Seen::Found(()),
            Expiry::Expired => Seen::Expired,
            Expiry::NotActive(_) => Seen::Ended,
        }
    }

    /// Looks all keys up, their cache misses overlapped: first all buckets, then all flows. `follow` gets each key, its hash,
    /// and what the buckets tell of it.
    #[inline]
    pub(crate) fn batch<'k>(&self, keys: &'k [K], mut follow: impl FnMut(&'k K, KeyHash, Glance<Slot>)) {
        for keys in keys.chunks(GROUP) {
            let mut hashes = [KeyHash::from_bits(0); GROUP];
            for (key, hash) in keys.iter().zip(&mut hashes) {
                *hash = self.hash(key);
                self.segment(*hash).prefetch(*hash);
            }
            let mut glances = [Glance::Unsure; GROUP];
            for (&hash, glance) in hashes[..keys.len()].iter().zip(&mut glances) {
                *glance = self.segment(hash).glance(hash, Some);
                if let Glance::Met(slot) = *glance {
                    self.entry(slot.entry()).prefetch(slot.entry().is_pair());
                }
            }
            for ((key, &hash), &glance) in keys.iter().zip(&hashes).zip(&glances) {
                follow(key, hash, glance);
            }
        }
    }

    /// Expires a flow that is due, without its shard's lock. The caller has a reference, or an open burst.
    pub(crate) fn expire(&self, entry: Entry<K, V>, now: Timestamp) -> Expiry {
        let expiry = entry.state().expire(now);
        if expiry == Expiry::Expired {
            let (page, _) = Page::of(entry);
            self.shards[page.shard()].counters.expired.add(1);
            self.notify(entry);
        }
        expiry
    }
}
