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
        let displaced = forward.as_ref().or(reply.as_ref()).filter(|_| old.is_none());
        let is_new = entry.state().load().is_new();
        self.link(locks, index, hashes);
        if let Some(old) = old {
            self.announce(locks, old.index, index, hashes, deadline);
            old.entry.state().detach();
        } else if let Some(ended) = displaced {
            self.concerned(index, hashes).for_each(|(shard, _)| {
                // One that comes back is announced as its own successor: its state does not tell whether it has started.
                self.shards[shard].switch.begin(if is_new { ended.index } else { index }, index, deadline);
            });
        }
        // One compare-and-swap makes all keys appear at once. A look-up may have done it for a new flow that was announced.
        if is_new {
            entry.state().start(deadline);
        } else {
            entry.state().activate(deadline).expect("not active, and its shard is locked");
        }
        if displaced.is_some() {
            self.bump(locks, hashes.iter().map(|(hash, _)| hash));
        }
        for holder in [&*forward, &*reply].into_iter().flatten().filter(|holder| holder.index != index) {
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
