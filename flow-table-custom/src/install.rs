//! The moment at which a flow becomes active under its keys, for insertions and reinsertions.

use flow_table_api::{Direction, Key, Status, Timestamp, Value};

use crate::admit::{Found, Hashes, Holder};
use crate::core::Core;
use crate::entry::Entry;
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

    /// Makes a detached flow that is filed under `deadline` active under its keys, in place of whoever is found under them.
    /// Its shards are locked. Gives the live flow that it replaced, with the status that that one has now.
    pub(crate) fn install(
        &self,
        found: &mut Found<'_, K, V>,
        index: EntryIndex,
        hashes: Hashes,
        deadline: Timestamp,
    ) -> Option<(Entry<K, V>, Status)> {
        let Found { locks, forward, reply } = found;
        let entry = self.entry(index);
        let ended = |holder: &&Holder<K, V>| !holder.live && holder.index != index;
        for holder in [&*forward, &*reply].into_iter().flatten().filter(ended) {
            self.unlink_locked(locks, holder.index);
        }
        let old = forward.as_ref().filter(|holder| holder.live);
        let activate = || entry.state().activate(deadline).expect("not active, and its shard is locked");
        match old {
            None => {
                // The compare-and-swap makes all keys appear at once.
                self.link(locks, index, hashes);
                activate();
            }
            Some(old) => {
                self.link(locks, index, hashes);
                self.switch(locks, old.index, hashes, || {
                    old.entry.state().detach();
                    activate();
                });
                self.unlink_locked(locks, old.index);
            }
        }
        let shard = self.shard_of(hashes.forward);
        self.count(shard, locks.shard(shard), deadline);
        let old = old?.entry;
        let status = old.state().load().status;
        if status == Status::Detached {
            self.shards[shard].counters.replaced.add(1);
        }
        Some((old, status))
    }

    /// Runs `change` while look-ups that miss the keys of the old or the new flow wait. Their shards are locked.
    fn switch(&self, locks: &mut Locks<'_>, old: EntryIndex, hashes: Hashes, change: impl FnOnce()) {
        let mut switched: Vec<_> = hashes.iter().map(|(hash, _)| hash).collect();
        switched.push(self.hash_in(old, Direction::Forward));
        if old.is_pair() {
            switched.push(self.hash_in(old, Direction::Reply));
        }
        let place = |hash| (self.shard_of(hash), self.local_segment(hash));
        switched.sort_unstable_by_key(|&hash| place(hash));
        switched.dedup_by_key(|hash| place(*hash));
        for &hash in &switched {
            let (shard, local) = place(hash);
            self.segment(hash).begin_switch(&mut locks.shard(shard).segments[local]);
        }
        change();
        for &hash in &switched {
            let (shard, local) = place(hash);
            self.segment(hash).end_switch(&mut locks.shard(shard).segments[local]);
        }
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
