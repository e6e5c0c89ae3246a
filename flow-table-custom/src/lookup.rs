//! Look-ups: no lock, no hash but the key's own, one line of the table and one of the flow.

use std::hash::BuildHasher;

use flow_table_api::state::Expiry;
use flow_table_api::{Direction, Flow, Key, OnExpiry, Status, Timestamp, Value};

use crate::core::Core;
use crate::entry::{Entry, FlowEntry, HELD};
use crate::handle::StrongRef;
use crate::hash::KeyHash;
use crate::page::Page;
use crate::segment::Seen;
use crate::slot::Slot;

/// Keys whose look-ups overlap: about what a processor can have on its way from memory, and the usual burst.
const GROUP: usize = 32;

impl<K: Key, V: Value> Core<K, V> {
    #[inline]
    pub(crate) fn hash(&self, key: &K) -> KeyHash {
        KeyHash::new(self.hasher.hash_one(key))
    }

    #[inline]
    pub(crate) fn lookup(&self, key: &K, hash: KeyHash, now: Timestamp) -> Option<StrongRef<K, V>> {
        self.segment(hash).search(hash, |slot| {
            let entry = self.entry(slot.entry());
            let Some(others) = entry.refs().try_acquire() else { return Seen::Other };
            // SAFETY: the reference was counted just now.
            let handle = unsafe { StrongRef::from_counted(entry, slot.direction()) };
            self.see(&handle, slot, key, now, || others).map(|()| handle)
        })
    }

    /// As [`lookup`](Self::lookup), borrowing.
    ///
    /// # Safety
    ///
    /// 1. The caller has a burst open, announced before this call, for as long as it uses the result.
    #[inline]
    pub(crate) unsafe fn borrow<'b>(
        &self,
        key: &K,
        hash: KeyHash,
        now: Timestamp,
    ) -> Option<(&'b FlowEntry<K, V>, Direction)> {
        self.segment(hash).search(hash, |slot| {
            let entry = self.entry(slot.entry());
            if !entry.refs().is_referenced() {
                return Seen::Other;
            }
            // SAFETY: by (1), and the count was not zero after the burst was announced.
            let flow = unsafe { entry.flow() };
            self.see(flow, slot, key, now, || entry.refs().count()).map(|()| (flow, slot.direction()))
        })
    }

    /// What a look-up for `key` at `now` makes of the flow in `slot`, which `references` others hold, the table included.
    /// Expires it on the spot if it is due.
    #[inline]
    fn see(
        &self,
        flow: &FlowEntry<K, V>,
        slot: Slot,
        key: &K,
        now: Timestamp,
        references: impl FnOnce() -> u32,
    ) -> Seen<()> {
        let has_key = match slot.direction() {
            Direction::Forward => flow.key() == key,
            Direction::Reply => flow.reply_key() == Some(key),
        };
        if !has_key {
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

    /// Looks all keys up, their cache misses overlapped: first all buckets, then all flows. `look` gets each key, its hash,
    /// and its place among the keys.
    #[inline]
    pub(crate) fn batch<'k>(&self, keys: &'k [K], mut look: impl FnMut(&'k K, KeyHash)) {
        for keys in keys.chunks(GROUP) {
            let mut hashes = [KeyHash::from_bits(0); GROUP];
            for (key, hash) in keys.iter().zip(&mut hashes) {
                *hash = self.hash(key);
                self.segment(*hash).prefetch(*hash);
            }
            for &hash in &hashes[..keys.len()] {
                // Never found, so that all candidates of the key's bucket are fetched.
                let _: Option<()> = self.segment(hash).find(hash, |slot| {
                    let entry = self.entry(slot.entry());
                    crate::prefetch::read(entry.as_ptr().as_ptr());
                    if slot.entry().is_pair() {
                        crate::prefetch::read(entry.as_ptr().as_ptr().wrapping_byte_add(64));
                    }
                    None
                });
            }
            for (key, &hash) in keys.iter().zip(&hashes) {
                look(key, hash);
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
