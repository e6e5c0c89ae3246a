//! The moment at which a flow becomes active under its keys, for insertions and reinsertions.

use flow_table_api::{Direction, Key, Status, Timestamp, Value};

use crate::admit::{Found, Hashes, Holder};
use crate::core::Core;
use crate::entry::Entry;
use crate::hash::KeyHash;
use crate::index::EntryIndex;
use crate::insert::Mode;
use crate::locks::Locks;
use crate::shard::ShardInner;

impl<K: Key, V: Value> Core<K, V> {
    /// Counts a flow that is filed and has just become active. Its shard is locked.
    #[inline]
    pub(crate) fn count(&self, shard: usize, inner: &mut ShardInner, deadline: Timestamp) {
        self.shards[shard].counters.inserts.add_locked(inner, 1);
        self.due.lower(shard, deadline);
    }

    /// Makes a flow that is filed under `deadline` active under its keys, in place of whoever is found under them. Its shards are
    /// locked. Gives the live flow that it replaced.
    ///
    /// At no moment is a key without the flow that it had or has: look-ups prefer a live flow to one that has expired and is still
    /// held, which goes last, in another version of the segment.
    pub(crate) fn install(
        &self,
        found: &mut Found<'_, K, V>,
        index: EntryIndex,
        hashes: Hashes,
        deadline: Timestamp,
    ) -> Option<Entry<K, V>> {
        let Found { locks, forward, reply } = found;
        let entry = self.entry(index);
        let old = forward.as_ref().filter(|holder| holder.live);
        let others = || [&*forward, &*reply].into_iter().flatten().filter(|holder| holder.index != index);
        // Without a live one, all others have ended.
        let displaces = old.is_none() && others().next().is_some();
        if displaces && !entry.state().load().is_starting() {
            // It comes back and cannot be found, as the other one has its key.
            entry.state().prepare();
        }
        self.link(locks, index, hashes);
        if let Some(old) = old {
            self.announce(locks, old.index, index, hashes, deadline);
            old.entry.state().detach();
        } else if displaces {
            // Announced as its own predecessor: look-ups do not start it, and take it for absent until it has started.
            let announce = |(shard, _): (usize, _)| self.shards[shard].switch.begin(index, index, deadline);
            self.concerned(index, hashes).for_each(announce);
        }
        // One compare-and-swap makes all keys appear at once. A look-up may have done it for a flow that replaces a live one.
        if old.is_some() {
            entry.state().start(deadline);
        } else {
            entry.state().activate(deadline).expect("not active, and its shard is locked");
        }
        if displaces {
            self.bump(locks, hashes.iter().map(|(hash, _)| hash));
        }
        for holder in others() {
            self.unlink_locked(locks, holder.index);
        }
        let announced = old.map_or(index, |old| old.index);
        self.concerned(announced, hashes).for_each(|(shard, _)| self.shards[shard].switch.end());
        let shard = self.shard_of(hashes.forward);
        self.count(shard, locks.shard(shard), deadline);
        let old = old?.entry;
        if old.state().load().status == Status::Detached {
            self.shards[shard].counters.replaced.add(1);
        }
        Some(old)
    }

    /// Announces a replacement to the look-ups of all keys of both flows. Their shards are locked.
    fn announce(
        &self,
        locks: &mut Locks<'_>,
        old: EntryIndex,
        new: EntryIndex,
        hashes: Hashes,
        deadline: Timestamp,
    ) {
        for (shard, _) in self.concerned(old, hashes) {
            self.shards[shard].switch.begin(old, new, deadline);
        }
        self.bump(locks, self.concerned(old, hashes).map(|(_, hash)| hash));
    }

    /// Moves the versions of the segments of these hashes on. Their shards are locked.
    fn bump(&self, locks: &mut Locks<'_>, hashes: impl Iterator<Item = KeyHash>) {
        for hash in hashes {
            let inner = locks.shard(self.shard_of(hash));
            self.segment(hash).bump(&mut inner.segments[self.local_segment(hash)]);
        }
    }

    /// The hashes of the new flow's keys and of the old one's, with their shards.
    fn concerned(&self, old: EntryIndex, hashes: Hashes) -> impl Iterator<Item = (usize, KeyHash)> {
        let reply = old.is_pair().then(|| self.hash_in(old, Direction::Reply));
        let olds = std::iter::once(self.hash_in(old, Direction::Forward)).chain(reply);
        hashes.iter().map(|(hash, _)| hash).chain(olds).map(|hash| (self.shard_of(hash), hash))
    }
}

/// The live flow that stands in the way, and which of the new keys it has.
pub(crate) fn conflict<'f, K, V>(found: &'f Found<'_, K, V>, mode: Mode) -> Option<(&'f Holder<K, V>, Direction)> {
    let forward = found.forward.as_ref().filter(|holder| holder.live);
    if let (Some(holder), Mode::IfAbsent) = (forward, mode) {
        return Some((holder, Direction::Forward));
    }
    let reply = found.reply.as_ref().filter(|holder| holder.live);
    let other = reply.filter(|holder| forward.is_none_or(|forward| forward.entry != holder.entry));
    other.map(|holder| (holder, Direction::Reply))
}
