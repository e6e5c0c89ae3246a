//! Look-ups: no lock, no hash but the key's own, one line of the table and one of the flow.

use std::hash::BuildHasher;

use flow_table_api::state::Expiry;
use flow_table_api::{Direction, Flow, Key, OnExpiry, Status, Timestamp, Value};

use crate::core::Core;
use crate::entry::{Entry, FlowEntry, HELD};
use crate::handle::StrongRef;
use crate::hash::KeyHash;
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
        self.segment(hash).search(hash, |slot| self.try_handle(slot, key, now))
    }

    /// A handle to what is in `slot`, if it is the key's and may be found.
    #[inline]
    fn try_handle(&self, slot: Slot, key: &K, now: Timestamp) -> Option<StrongRef<K, V>> {
        let entry = self.entry(slot.entry());
        let others = entry.refs().try_acquire()?;
        // SAFETY: the reference was counted just now.
        let handle = unsafe { StrongRef::from_counted(entry, slot.direction()) };
        let found = has_key(&handle, slot.direction(), key) && self.is_visible(entry, others, now);
        found.then_some(handle)
    }

    /// Borrows what is in `slot`, if it is the key's and may be found.
    ///
    /// # Safety
    ///
    /// 1. The caller has a burst open, announced before this call, for as long as it uses the result.
    #[inline]
    unsafe fn try_borrow<'b>(
        &self,
        slot: Slot,
        key: &K,
        now: Timestamp,
    ) -> Option<(&'b FlowEntry<K, V>, Direction)> {
        let entry = self.entry(slot.entry());
        if !entry.refs().is_referenced() {
            return None;
        }
        // SAFETY: by (1), and the count was not zero after the burst was announced.
        let flow = unsafe { entry.flow() };
        let found = has_key(flow, slot.direction(), key) && self.is_visible(entry, entry.refs().count(), now);
        found.then_some((flow, slot.direction()))
    }

    /// As [`lookup`](Self::lookup), borrowing.
    ///
    /// # Safety
    ///
    /// 1. As [`try_borrow`](Self::try_borrow).
    #[inline]
    pub(crate) unsafe fn borrow<'b>(
        &self,
        key: &K,
        hash: KeyHash,
        now: Timestamp,
    ) -> Option<(&'b FlowEntry<K, V>, Direction)> {
        // SAFETY: the caller's.
        self.segment(hash).search(hash, |slot| unsafe { self.try_borrow(slot, key, now) })
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

    /// Whether a look-up at `now` may find the flow, which `references` others hold, the table included. Expires it on
    /// the spot if it is due.
    #[inline]
    fn is_visible(&self, entry: Entry<K, V>, references: u32, now: Timestamp) -> bool {
        let word = entry.state().load();
        word.is_live(now) || self.is_visible_slow(entry, word.status, references, now)
    }

    #[cold]
    #[inline(never)]
    fn is_visible_slow(&self, entry: Entry<K, V>, status: Status, references: u32, now: Timestamp) -> bool {
        match status {
            Status::Active if !self.expire(entry, now) => entry.state().load().is_live(now),
            Status::Active | Status::Expired => {
                let table = u32::from(entry.options().own(HELD));
                entry.options().on_expiry() == OnExpiry::KeepWhileReferenced && references > table
            }
            Status::Detached | Status::Cancelled => false,
        }
    }

    /// Expires a flow that is due, without its shard's lock; whether it has expired, by this call or another. The caller
    /// has a reference, or an open burst.
    pub(crate) fn expire(&self, entry: Entry<K, V>, now: Timestamp) -> bool {
        match entry.state().expire(now) {
            Expiry::Expired => {
                let (page, _) = crate::page::Page::of(entry);
                self.shards[page.shard()].counters.expired.add(1);
                self.notify(entry);
                true
            }
            Expiry::NotDue(_) => false,
            Expiry::NotActive(status) => status == Status::Expired,
        }
    }
}

#[inline]
fn has_key<K: Key, V>(flow: &FlowEntry<K, V>, direction: Direction, key: &K) -> bool {
    match direction {
        Direction::Forward => flow.key() == key,
        Direction::Reply => flow.reply_key() == Some(key),
    }
}
