//! Look-ups: one line of the hash table and one of the flow. The same code serves look-ups that count a
//! reference and look-ups within a burst.

use std::ops::Deref;

use flow_table_api::state::Expiry;
use flow_table_api::{Borrowed, Direction, Equivalent, Flow, Key, OnExpiry, Status, Timestamp, Value};

use crate::core::Core;
use crate::flows::{Entry, FlowAt, FlowEntry};
use crate::grace::{Announcement, Bursts};
use crate::handle::{StrongRef, peek, peek_live};
use crate::hash::KeyHash;
use crate::ids::EntryIndex;
use crate::index::{Glance, Home, Slot};
use crate::shard::Replacement;

/// How a look-up gets access to a flow.
pub(crate) trait Reach<K, V>: Copy {
    /// A flow, and the key by which it was found.
    type Found: Deref<Target = FlowEntry<K, V>>;
    /// The references that one such access counts.
    const COUNTS: u32;

    /// Gets access to the flow in an entry, if there is one.
    fn reach(self, bursts: &Bursts, entry: Entry<K, V>, direction: Direction) -> Option<Self::Found>;

    /// Gets access to the flow in an entry if it is live at `now` and unmarked.
    fn reach_live(
        self,
        bursts: &Bursts,
        entry: Entry<K, V>,
        direction: Direction,
        now: Timestamp,
    ) -> Option<Self::Found>;
}

/// By a counted reference.
#[derive(Clone, Copy)]
pub(crate) struct Counted;

impl<K, V> Reach<K, V> for Counted {
    type Found = StrongRef<K, V>;
    const COUNTS: u32 = 1;

    #[inline]
    fn reach(self, _: &Bursts, entry: Entry<K, V>, direction: Direction) -> Option<StrongRef<K, V>> {
        StrongRef::acquire(entry, direction)
    }

    #[inline]
    fn reach_live(
        self,
        _: &Bursts,
        entry: Entry<K, V>,
        direction: Direction,
        now: Timestamp,
    ) -> Option<StrongRef<K, V>> {
        StrongRef::acquire(entry, direction).filter(|flow| flow.entry().state().is_live_unmarked(now))
    }
}

/// Within an open burst.
impl<'b, K: 'b, V: 'b> Reach<K, V> for &'b Announcement<'_> {
    type Found = Borrowed<'b, FlowEntry<K, V>>;
    const COUNTS: u32 = 0;

    #[inline]
    fn reach(
        self,
        bursts: &Bursts,
        entry: Entry<K, V>,
        direction: Direction,
    ) -> Option<Borrowed<'b, FlowEntry<K, V>>> {
        peek(entry, bursts, self).map(|flow| Borrowed::new(flow, direction))
    }

    #[inline]
    fn reach_live(
        self,
        bursts: &Bursts,
        entry: Entry<K, V>,
        direction: Direction,
        now: Timestamp,
    ) -> Option<Borrowed<'b, FlowEntry<K, V>>> {
        peek_live(entry, now, bursts, self).map(|flow| Borrowed::new(flow, direction))
    }
}

/// What a look-up meets in a slot.
enum Met<F> {
    /// A flow with the key.
    Key(F),
    /// Nothing, or a flow with another key.
    Other,
    /// A flow that was moved from there (P15). Its slot changes before its shard is unlocked.
    Moved,
}

/// What a flow with the key means for a look-up.
enum Seen {
    /// The flow is live, or this look-up has just expired it and it is kept for its holders.
    Found,
    /// This look-up has just expired it. At that moment, the key had no other flow.
    Expired,
    /// It had expired before, and is kept for its holders.
    Kept,
    /// It is not active yet, and is about to replace this flow.
    Announced(EntryIndex),
    /// It is not in the table yet: it is coming back, or is about to displace a flow that has ended, which the
    /// look-up meets separately.
    Starting,
    /// Not active.
    Ended,
}

/// The number of keys whose look-ups overlap: about as many cache misses as a processor can have in flight, and
/// the usual size of a burst.
const GROUP: usize = 32;

/// A key of a batch: its hash, and where its walk begins.
#[derive(Clone, Copy)]
struct Probe<'t> {
    hash: KeyHash,
    home: Home<'t>,
}

impl<K: Key, V: Value> Core<K, V> {
    #[inline]
    pub(crate) fn lookup<R: Reach<K, V>, Q: Equivalent<K> + ?Sized>(
        &self,
        reach: R,
        key: &Q,
        hash: KeyHash,
        now: Timestamp,
    ) -> Option<R::Found> {
        let segment = self.shards.index.segment(hash);
        let glance = segment.glance(segment.home(hash), hash);
        let glance = glance.and(|slot| (slot, self.shards.arena.entry(slot.entry())));
        self.follow(reach, key, hash, glance, now)
    }

    /// The rest of a look-up, after a look at the home bucket.
    #[inline]
    fn follow<R: Reach<K, V>, Q: Equivalent<K> + ?Sized>(
        &self,
        reach: R,
        key: &Q,
        hash: KeyHash,
        glance: Glance<(Slot, Entry<K, V>)>,
        now: Timestamp,
    ) -> Option<R::Found> {
        match glance {
            Glance::Miss => return None,
            Glance::Met((slot, entry)) => {
                if let Some(flow) = reach.reach_live(&self.bursts, entry, slot.direction(), now)
                    && flow.has_key(slot, key)
                {
                    return Some(flow);
                }
            }
            Glance::Unsure => {}
        }
        self.walk(reach, key, hash, now)
    }

    /// The look-up for keys that are not the first with their tag, or not in their home bucket.
    #[inline(never)]
    fn walk<R: Reach<K, V>, Q: Equivalent<K> + ?Sized>(
        &self,
        reach: R,
        key: &Q,
        hash: KeyHash,
        now: Timestamp,
    ) -> Option<R::Found> {
        let segment = self.shards.index.segment(hash);
        let version = segment.version();
        let met = segment.find(hash, |slot| match self.reach_key(reach, slot, key) {
            Met::Key(flow) => Some(flow.is_live(now).then_some(flow)),
            Met::Other => None,
            Met::Moved => Some(None),
        });
        match met {
            Some(Some(flow)) => Some(flow),
            // P6: a miss is confirmed by the version.
            None if segment.version() == version => None,
            _ => self.search(reach, key, hash, now),
        }
    }

    /// Looks at the flow in `slot`. P15: the key is read after the mark is off.
    #[inline]
    fn reach_key<R: Reach<K, V>, Q: Equivalent<K> + ?Sized>(
        &self,
        reach: R,
        slot: Slot,
        key: &Q,
    ) -> Met<R::Found> {
        let entry = self.shards.arena.entry(slot.entry());
        match reach.reach(&self.bursts, entry, slot.direction()) {
            None => Met::Other,
            Some(_) if !entry.state().settle() => Met::Moved,
            Some(flow) if flow.has_key(slot, key) => Met::Key(flow),
            Some(_) => Met::Other,
        }
    }

    /// Looks all keys up so that their cache misses overlap: first all buckets, then all flows. It fills
    /// `found` with one entry for each key. `hash` returns the hash of a key, whose number it gets, too.
    #[inline]
    pub(crate) fn lookup_batch<R: Reach<K, V>, Q: Equivalent<K>>(
        &self,
        reach: R,
        keys: &[Q],
        hash: impl Fn(usize, &Q) -> KeyHash,
        now: Timestamp,
        found: &mut Vec<Option<R::Found>>,
    ) {
        found.clear();
        found.reserve(keys.len());
        let (index, arena) = (&self.shards.index, &self.shards.arena);
        for (group, keys) in keys.chunks(GROUP).enumerate() {
            let mut probes = [Probe { hash: KeyHash::from_bits(0), home: Home::NONE }; GROUP];
            for (at, (key, probe)) in keys.iter().zip(&mut probes).enumerate() {
                probe.hash = hash(group * GROUP + at, key);
                probe.home = index.segment(probe.hash).home(probe.hash);
                probe.home.prefetch();
            }
            let mut glances = [Glance::Unsure; GROUP];
            for (&Probe { hash, home }, glance) in probes[..keys.len()].iter().zip(&mut glances) {
                *glance = index.segment(hash).glance(home, hash).and(|slot| {
                    let entry = arena.entry(slot.entry());
                    entry.prefetch(slot.entry().is_pair());
                    (slot, entry)
                });
            }
            let looks = keys.iter().zip(&probes).zip(&glances);
            found.extend(looks.map(|((key, probe), &glance)| self.follow(reach, key, probe.hash, glance, now)));
        }
    }

    /// The look-up for segments that are changing and for flows that are due. It visits the slots that may be
    /// the key's until it has found the key's flow, or is certain that there was none at some moment of the
    /// call (P6). It prefers a live flow to one that has expired and is still held: the live one has taken the
    /// key from it (P7).
    ///
    /// It waits for no other thread, and repeats the visit only if another operation has made progress in the
    /// meantime, with one exception: if the flow is being moved, it waits until that is done (P15). Moves wait for
    /// nothing, and it takes no lock of the caller's: a flow that is being moved has no slot in a shard that
    /// anybody else has locked.
    #[inline(never)]
    fn search<R: Reach<K, V>, Q: Equivalent<K> + ?Sized>(
        &self,
        reach: R,
        key: &Q,
        hash: KeyHash,
        now: Timestamp,
    ) -> Option<R::Found> {
        let (segment, shard) = (self.shards.index.segment(hash), self.shards.index.shard_of(hash));
        let switch = &self.shards.get(shard).switch;
        loop {
            let (mut kept, mut announced, mut is_newest) = (None, None, false);
            let (mut came_back, mut moved) = (false, false);
            let version = segment.version();
            let decided = segment.find(hash, |slot| {
                let flow = match self.reach_key(reach, slot, key) {
                    Met::Key(flow) => flow,
                    Met::Other => return None,
                    Met::Moved => {
                        moved = true;
                        return None;
                    }
                };
                match self.see(flow.entry(), slot.entry(), shard, now, R::COUNTS) {
                    Seen::Found => return Some(Some(flow)),
                    Seen::Expired => return Some(None),
                    Seen::Kept => {
                        // If there are two, the one that is announced has just displaced the other one.
                        let is_newer = switch.of(slot.entry()).is_some();
                        if is_newer || kept.is_none() && !is_newest {
                            kept = Some(flow);
                        }
                        is_newest |= is_newer;
                    }
                    Seen::Announced(old) => announced = Some((slot.entry(), old)),
                    Seen::Ended => match flow.entry().state().load() {
                        word if word.is_starting() => {}
                        word if word.status == Status::Active => came_back = true,
                        // It has displaced another one before, whose slots may still be there.
                        _ if switch.of(slot.entry()).is_some() => (kept, is_newest) = (None, true),
                        _ => {}
                    },
                    Seen::Starting => {}
                }
                None
            });
            if let Some(decided) = decided {
                return decided;
            }
            if moved {
                drop(self.shards.lock(shard));
                continue;
            }
            let is_certain = !came_back
                && segment.version() == version
                && announced.is_none_or(|(new, old)| self.is_about_to_replace(new, old, shard));
            if is_certain {
                return kept;
            }
        }
    }

    /// Decides what a flow with the key means for a look-up at `now` that holds `own` references to it. Expires
    /// the flow if it is due, and starts it if the flow that it replaces has ended (see `switch`).
    #[cold]
    fn see(&self, entry: Entry<K, V>, index: EntryIndex, shard: usize, now: Timestamp, own: u32) -> Seen {
        if entry.state().load().is_starting() {
            match self.shards.get(shard).switch.of(index) {
                Some(Replacement { old, deadline }) if old != index => {
                    if self.shards.arena.entry(old).state().load().status == Status::Active {
                        return Seen::Announced(old);
                    }
                    entry.state().start(deadline);
                }
                // If nothing is announced, this flow has just started, unless its state was read too early.
                None if !entry.state().load().is_starting() => {}
                _ => return Seen::Starting,
            }
        }
        let is_kept = || {
            // The table counts its reference before it sets `HELD`, and gives it up after it has cleared
            // `HELD`. So one look at the count before and one after show whether there is another reference.
            let others = || entry.refs().count() - own;
            let (before, table, after) = (others(), u32::from(entry.is_held()), others());
            entry.options().on_expiry() == OnExpiry::KeepWhileReferenced && before.max(after) > table
        };
        loop {
            match self.expire(entry, now) {
                Expiry::NotDue(_) => return Seen::Found,
                // It was active until now, so the key had no other flow.
                Expiry::Expired if is_kept() => return Seen::Found,
                Expiry::NotActive(Status::Expired) if is_kept() => return Seen::Kept,
                Expiry::Expired => return Seen::Expired,
                // It came back while its references were counted.
                Expiry::NotActive(Status::Expired) if entry.state().load().status == Status::Active => {}
                Expiry::NotActive(_) => return Seen::Ended,
            }
        }
    }

    /// Returns `true` if `new` has not replaced `old` yet. Then no flow had the key: if it were a key of `old`,
    /// the look-up would have met the slot of `old`, which was active.
    #[cold]
    fn is_about_to_replace(&self, new: EntryIndex, old: EntryIndex, shard: usize) -> bool {
        // The order matters: while `new` is announced, `old` is the flow that it is to replace.
        let is_active = self.shards.arena.entry(old).state().load().status == Status::Active;
        is_active && self.shards.get(shard).switch.of(new).is_some_and(|replacement| replacement.old == old)
    }

    /// Expires a flow that is due, without its shard's lock. The caller has a reference or an open burst.
    pub(crate) fn expire(&self, entry: Entry<K, V>, now: Timestamp) -> Expiry {
        let expiry = entry.state().expire(now);
        if expiry == Expiry::Expired {
            let flow = FlowAt::of(entry);
            self.shards.get(flow.shard()).counters.expired.add(1);
            self.shards.notify(flow);
        }
        expiry
    }
}
