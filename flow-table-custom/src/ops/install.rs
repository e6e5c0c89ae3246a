//! P7. How a flow becomes active under its keys, for insertions and reinsertions.

use flow_table_api::{Key, Status, Timestamp, Value};

use super::holders::Holders;
use crate::core::Core;
use crate::flows::FlowAt;
use crate::hash::{KeyHash, KeyHashes};
use crate::ids::EntryIndex;
use crate::shard::Locks;

impl<K: Key, V: Value> Core<K, V> {
    /// Makes a flow that has been filed at `now` active with this `deadline` under its keys, in place of the flows
    /// that were found under them. All shards concerned are locked.
    ///
    /// At no moment is a key without both its old and its new flow. Look-ups prefer a live flow to one that has
    /// expired and is still held. The slots of the latter are emptied last, in another version of the segment.
    pub(super) fn install(
        &self,
        holders: &mut Holders<'_, K, V>,
        flow: FlowAt<K, V>,
        hashes: KeyHashes,
        deadline: Timestamp,
        now: Timestamp,
    ) {
        let state = flow.entry().state();
        let old = holders.forward.as_ref().filter(|holder| holder.live).map(|holder| holder.flow);
        let others = [&holders.forward, &holders.reply]
            .map(|holder| holder.as_ref().map(|holder| holder.flow).filter(|other| other.index() != flow.index()));
        // If there is no live flow under the forward key, all others have ended.
        let displaces = old.is_none() && others.iter().flatten().next().is_some();
        let is_found =
            holders.forward.iter().chain(&holders.reply).any(|holder| holder.flow.index() == flow.index());
        if !is_found && !state.load().is_starting() {
            // The flow comes back, and look-ups do not find it now. The mark says that it has not started yet.
            state.prepare();
        }
        let locks = &mut holders.locks;
        locks.link(flow.index(), hashes);
        let olds = old.map(|old| old.hashes());
        let concerned = || hashes.iter().chain(olds.into_iter().flat_map(KeyHashes::iter)).map(|(hash, _)| hash);
        if let Some(old) = old {
            self.announce(old.index(), flow.index(), deadline, concerned());
            bump(locks, concerned());
            old.entry().state().detach();
            state.start(deadline);
        } else {
            if displaces {
                // The flow is announced as its own predecessor. Look-ups do not start it, and take it for
                // absent until it has started.
                self.announce(flow.index(), flow.index(), deadline, concerned());
            }
            // One compare-and-swap makes the flow appear under all its keys at once.
            state.activate(deadline).expect("not active, and its shard is locked");
            if displaces {
                bump(locks, concerned());
            }
        }
        let others = others.into_iter().flatten();
        let is_kept = others.clone().any(|other| other.entry().state().load().status == Status::Expired);
        others.for_each(|other| locks.unlink(other));
        if is_kept {
            // For look-ups that have met a flow that has expired and lost its key here, and that find nothing
            // announced any more.
            bump(locks, concerned());
        }
        if old.is_some() || displaces {
            concerned().for_each(|hash| self.shards.get(self.shards.index.shard_of(hash)).switch.end());
        }
        locks.of(hashes.forward).count_insert(self.shards.filing(deadline, now));
        if old.is_some_and(|old| old.entry().state().load().status == Status::Detached) {
            self.shards.get(flow.shard()).counters.replaced.add(1);
        }
    }

    /// Announces to look-ups of these keys that `new` is about to take the place of `old`. The shards of the
    /// keys are locked.
    fn announce(
        &self,
        old: EntryIndex,
        new: EntryIndex,
        deadline: Timestamp,
        keys: impl Iterator<Item = KeyHash>,
    ) {
        for hash in keys {
            self.shards.get(self.shards.index.shard_of(hash)).switch.begin(old, new, deadline);
        }
    }
}

/// Increments the versions of the segments of these hashes.
fn bump<K, V>(locks: &mut Locks<'_, K, V>, hashes: impl Iterator<Item = KeyHash>) {
    hashes.for_each(|hash| locks.of(hash).bump(hash));
}
