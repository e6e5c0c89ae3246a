//! Look-ups: no lock, no hash but the key's own, one line of the table and one of the flow.

use std::hash::BuildHasher;
use std::ops::Deref;

use flow_table_api::state::Expiry;
use flow_table_api::{Direction, Flow, Key, OnExpiry, Status, Timestamp, Value};

use crate::core::Core;
use crate::entry::{Entry, FlowEntry, HELD};
use crate::handle::StrongRef;
use crate::hash::KeyHash;
use crate::index::EntryIndex;
use crate::page::Page;
use crate::segment::Glance;
use crate::slot::Slot;
use crate::switch::Replacement;

/// What a look-up makes of a flow with its key.
enum Seen {
    /// Live, or expired just now and held by somebody for whose sake it is found.
    Found,
    /// This look-up has just expired it: at that moment, the key had no other.
    Expired,
    /// Expired before, but held by somebody for whose sake it is found.
    Kept,
    /// Not active yet: it is about to replace this flow.
    Announced(EntryIndex),
    /// Not active.
    Ended,
}

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

    /// A look-up in a segment that is changing, and one that ends flows that are due.
    #[inline(never)]
    fn search(&self, key: &K, hash: KeyHash, now: Timestamp) -> Option<StrongRef<K, V>> {
        let reach = |slot: Slot| {
            let entry = self.entry(slot.entry());
            entry.refs().try_acquire()?;
            // SAFETY: the reference was counted just now.
            Some(unsafe { StrongRef::from_counted(entry, slot.direction()) })
        };
        self.search_by(key, hash, now, 1, reach).map(|(flow, _)| flow)
    }

    /// Visits the slots that may be the key's until the key's flow is found, or it is certain that at some moment of the call there was
    /// none. `reach` gives access to the flow in a slot, if there is one, with so many references of its `own`. A live flow is preferred
    /// to one that has expired and is still held: when it comes, that one goes.
    ///
    /// Waits for nobody: slots are visited again only if somebody else has got on meanwhile.
    pub(crate) fn search_by<F: Deref<Target = FlowEntry<K, V>>>(
        &self,
        key: &K,
        hash: KeyHash,
        now: Timestamp,
        own: u32,
        reach: impl Fn(Slot) -> Option<F>,
    ) -> Option<(F, Direction)> {
        let segment = self.segment(hash);
        loop {
            let (mut kept, mut announced) = (None, None);
            let (mut is_newest, mut is_unclear) = (false, false);
            let version = segment.version();
            let decided = segment.find(hash, |slot| {
                let flow = reach(slot).filter(|flow| has_key(flow, slot.direction(), key))?;
                match self.see(flow.entry(), slot.entry(), self.shard_of(hash), now, own) {
                    Seen::Found => return Some(Some((flow, slot.direction()))),
                    Seen::Expired => return Some(None),
                    Seen::Kept => {
                        // Of two, the one that is announced has just displaced the other.
                        let is_newer = self.shards[self.shard_of(hash)].switch.of(slot.entry()).is_some();
                        is_unclear |= kept.is_some() && !is_newer && !is_newest;
                        if is_newer || kept.is_none() && !is_newest {
                            kept = Some((flow, slot.direction()));
                        }
                        is_newest |= is_newer;
                    }
                    Seen::Announced(old) => announced = Some((slot.entry(), old)),
                    Seen::Ended if self.has_displaced(&flow, slot, hash) => (kept, is_newest) = (None, true),
                    Seen::Ended => {}
                }
                None
            });
            if let Some(decided) = decided {
                return decided;
            }
            let is_certain = !is_unclear
                && segment.version() == version
                && announced.is_none_or(|(new, old)| self.is_about_to_replace(new, old, self.shard_of(hash)));
            if is_certain {
                return kept;
            }
        }
    }

    /// What a look-up at `now`, with so many references of its `own`, makes of a flow with its key. Expires it on the spot if it is due,
    /// and starts it if the flow that it replaces has ended (see `switch`).
    #[cold]
    fn see(&self, entry: Entry<K, V>, index: EntryIndex, shard: usize, now: Timestamp, own: u32) -> Seen {
        if entry.state().load().is_starting() {
            match self.shards[shard].switch.of(index) {
                Some(Replacement { old, deadline }) if old != index => {
                    if self.entry(old).state().load().status == Status::Active {
                        return Seen::Announced(old);
                    }
                    entry.state().start(deadline);
                }
                // What it is about to displace has ended, and is met on its own.
                _ => return Seen::Ended,
            }
        }
        let is_kept = || {
            // The table counts its reference before it says so, and gives it up after it has said so: one count on either side shows
            // whether there is another.
            let others = || entry.refs().count() - own;
            let (before, table, after) = (others(), u32::from(entry.options().own(HELD)), others());
            entry.options().on_expiry() == OnExpiry::KeepWhileReferenced && before.max(after) > table
        };
        loop {
            match self.expire(entry, now) {
                Expiry::NotDue(_) => return Seen::Found,
                // Active until now, so the key had no other.
                Expiry::Expired if is_kept() => return Seen::Found,
                Expiry::NotActive(Status::Expired) if is_kept() => return Seen::Kept,
                Expiry::Expired => return Seen::Expired,
                // It came back while its holders were counted.
                Expiry::NotActive(Status::Expired) if entry.state().load().status == Status::Active => {}
                Expiry::NotActive(_) => return Seen::Ended,
            }
        }
    }

    /// Whether a flow that has ended has displaced another before, whose slots may still be there.
    #[cold]
    fn has_displaced(&self, flow: &FlowEntry<K, V>, slot: Slot, hash: KeyHash) -> bool {
        let is_announced = self.shards[self.shard_of(hash)].switch.of(slot.entry()).is_some();
        is_announced && !flow.entry().state().load().is_starting()
    }

    /// Whether `new` has not replaced `old` yet. Then the key is not one of the old flow's, whose slot would have been met while it was
    /// active, and nobody else's.
    #[cold]
    fn is_about_to_replace(&self, new: EntryIndex, old: EntryIndex, shard: usize) -> bool {
        // In this order: while `new` is announced, `old` is the flow that it is to replace.
        let is_active = self.entry(old).state().load().status == Status::Active;
        is_active && self.shards[shard].switch.of(new).is_some_and(|replacement| replacement.old == old)
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
