//! What is recorded, and when.
//!
//! **The lives of flows under one key are in the order in which the flows were in the table.** A flow gets its
//! life *after* it was installed. Then its inserter looks at its status again:
//!
//! ```text
//! inserter                         who ends the flow
//! install (status := active)       status := ended
//! life := next            (1)      fence
//! fence                            read life             (3)
//! read status             (2)      if there is one, record the end of that life
//! if active, record the beginning
//! ```
//!
//! Either (2) sees the end, and no beginning is recorded, or (3) sees the life, and its end is recorded. (The
//! fences are SeqCst.) Who changes a value has a fence between the change and reading the life, too: either it
//! sees the life and records the change, or the beginning holds the change. And if (2) sees the flow active, its
//! successor under the same key is installed later, so the successor's life is greater. If each flow got its life
//! before it was installed, of two flows that replace each other the earlier one could get the greater life, and a
//! standby would keep the wrong one.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use flow_table_api::{Flow, Status, Timestamp};

use super::counters::Counting;
use super::health::Health;
use super::{Counters, Exports, Outbox, Parcel};
use crate::codec::{Codec, KeyCodec};
use crate::ownership::Ownership;
use crate::record::{Head, Mark, Op, TooLong, write_body, write_key};
use crate::{Epoch, Life, Settings, ShardId, ShardSet, Tracked};

/// What the table, the publisher, the sweeper and the standby of one process share.
pub struct Shared {
    pub settings: Settings,
    pub ownership: Ownership,
    pub outbox: Outbox,
    pub counting: Counting,
    pub health: Health,
    /// Final records that wait for the log.
    pub exports: Option<Arc<dyn Exports>>,
    /// Tells this process's batches from those of others.
    pub origin: u64,
}

/// Records the life of a table's flows.
pub struct Feed<C> {
    codec: C,
    shared: Arc<Shared>,
}

impl<C> Feed<C> {
    pub(crate) fn new(settings: Settings, codec: C) -> Self {
        Self::with_exports(settings, codec, None)
    }

    pub(crate) fn with_exports(settings: Settings, codec: C, exports: Option<Arc<dyn Exports>>) -> Self {
        let shared = Shared {
            exports,
            ownership: Ownership::new(settings.owned),
            outbox: Outbox::new(&settings),
            counting: Counting::default(),
            health: Health::default(),
            origin: getrandom::u64().unwrap_or_else(|_| std::process::id().into()),
            settings,
        };
        Self { codec, shared: Arc::new(shared) }
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) const fn codec(&self) -> &C {
        &self.codec
    }

    /// What the replication of this table has done.
    pub fn counters(&self) -> Counters {
        self.shared.counting.read()
    }

    /// Which shards this process owns.
    pub fn ownership(&self) -> &Ownership {
        &self.shared.ownership
    }

    /// Publishes that this process takes these shards in these epochs, above all known ones. Returns the number of
    /// the claim; `None` if too many are on their way already. [`Gateway::promote`](crate::Gateway::promote) does
    /// all of a take-over; this is for programs without its threads.
    pub fn claim(&self, epochs: &[(ShardId, Epoch)]) -> Option<u64> {
        let mark = |&(shard, epoch): &(ShardId, Epoch)| Mark { shard, epoch, last: Life::NONE };
        self.shared.outbox.push_claim(Parcel::marker(epochs.iter().map(mark)))
    }

    /// Whether a claim has come back: what the former owner had published before it has been applied.
    pub fn has_seen_claim(&self, number: u64) -> bool {
        self.shared.outbox.has_seen_claim(number)
    }

    /// Owns these shards from now on, in these epochs. Returns those that it owns: another process may have taken
    /// others meanwhile. The next sweep tells their standbys everything.
    pub fn own(&self, epochs: &[(ShardId, Epoch)]) -> ShardSet {
        let taken = epochs.iter().filter(|(shard, epoch)| self.shared.ownership.claim(*shard, *epoch));
        let shards = taken.map(|(shard, _)| *shard).collect();
        self.shared.outbox.mark_dirty(shards);
        shards
    }

    /// Hands the buffers of this thread to the publisher, instead of after 2 ms. Never waits.
    pub fn flush(&self) {
        self.shared.outbox.flush(&self.shared.counting);
    }

    /// The shard of a key.
    #[inline]
    pub fn shard<K, V>(&self, key: &K) -> ShardId
    where
        C: Codec<K, V>,
    {
        ShardId::new(
            (self.shared.settings.cluster_key.hash(|hasher| self.codec.keys().shard_key(key, hasher)) >> 56) as u8,
        )
    }

    /// Hands over the buffers of this thread that are worth a batch. Never waits.
    pub(crate) fn flush_worthwhile(&self) {
        self.shared.outbox.flush_worthwhile(&self.shared.counting);
    }

    fn record(&self, shard: ShardId, write: impl FnOnce(&mut Vec<u8>) -> Result<(), TooLong>) {
        self.shared.outbox.record(shard, &self.shared.counting, write);
    }

    /// Records that `flow` has begun, unless it has ended already.
    pub(crate) fn begun<K, V>(&self, flow: &impl Flow<K, Tracked<V>>, now: Timestamp)
    where
        C: Codec<K, V>,
    {
        let tracked = flow.value();
        let shard = tracked.shard();
        let role = self.shared.ownership.role(shard);
        if !role.owned {
            return;
        }
        let life = self.shared.ownership.next_life(shard, role.epoch);
        tracked.start(life);
        // Pairs with the fence in `ended`: see the top of the file.
        fence(Ordering::SeqCst);
        if flow.status() == Status::Active {
            let head = Head { op: Op::Begin, shard, epoch: role.epoch, life, sequence: tracked.next_sequence() };
            self.record(shard, |bytes| self.body(bytes, &head, flow, now));
        }
    }

    /// Records that the value or the timeout of `flow` has changed.
    pub(crate) fn updated<K, V>(&self, flow: &impl Flow<K, Tracked<V>>, now: Timestamp)
    where
        C: Codec<K, V>,
    {
        // Pairs with the fence in `begun`: see the top of the file. The value has changed before.
        fence(Ordering::SeqCst);
        let tracked = flow.value();
        let (shard, life) = (tracked.shard(), tracked.life());
        let role = self.shared.ownership.role(shard);
        if !role.owned || life.is_none() {
            return;
        }
        let head = Head { op: Op::Update, shard, epoch: role.epoch, life, sequence: tracked.next_sequence() };
        self.record(shard, |bytes| self.body(bytes, &head, flow, now));
    }

    /// Records that `flow` has ended. Returns `true` if this process owns its shard.
    pub(crate) fn ended<K, V>(&self, flow: &impl Flow<K, Tracked<V>>) -> bool
    where
        C: Codec<K, V>,
    {
        // Pairs with the fence in `begun`: see the top of the file. The status has changed before.
        fence(Ordering::SeqCst);
        let tracked = flow.value();
        let (shard, life) = (tracked.shard(), tracked.life());
        let role = self.shared.ownership.role(shard);
        if !role.owned {
            self.shared.counting.not_exported.add(1);
            return false;
        }
        if !life.is_none() {
            let head = Head { op: Op::End, shard, epoch: role.epoch, life, sequence: 0 };
            self.record(shard, |bytes| write_key(bytes, &head, flow.key(), &self.codec));
        }
        true
    }

    /// Writes what a sweep says about an active flow into `parcel`: all of it if its deadline has moved by more
    /// than a quarter of its timeout, or if `is_full` asks for it; else that it is still there.
    pub(crate) fn swept<K, V>(
        &self,
        parcel: &mut Parcel,
        flow: &impl Flow<K, Tracked<V>>,
        now: Timestamp,
        is_full: impl FnOnce(ShardId, Life) -> bool,
    ) where
        C: Codec<K, V>,
    {
        let tracked = flow.value();
        let shard = tracked.shard();
        let role = self.shared.ownership.role(shard);
        if !role.owned {
            return;
        }
        if tracked.life().is_none() {
            // It was inserted while another process owned the shard, or its insertion is not over yet.
            return self.begun(flow, now);
        }
        let moved = flow.deadline().as_nanos().abs_diff(tracked.published().as_nanos());
        let life = tracked.life();
        let is_full = u128::from(moved) > flow.timeout().as_nanos() / 4 || is_full(shard, life);
        let head = |op, sequence| Head { op, shard, epoch: role.epoch, life, sequence };
        let written = parcel.append(shard, |bytes| {
            if is_full {
                self.body(bytes, &head(Op::Checkpoint, tracked.next_sequence()), flow, now)
            } else {
                write_key(bytes, &head(Op::Named, 0), flow.key(), &self.codec)
            }
        });
        if written.is_err() {
            self.shared.counting.oversized.add(1);
        }
    }

    fn body<K, V>(
        &self,
        bytes: &mut Vec<u8>,
        head: &Head,
        flow: &impl Flow<K, Tracked<V>>,
        now: Timestamp,
    ) -> Result<(), TooLong>
    where
        C: Codec<K, V>,
    {
        let deadline = flow.deadline();
        write_body(bytes, head, flow, (now, deadline), &self.codec)?;
        flow.value().set_published(deadline);
        Ok(())
    }
}
