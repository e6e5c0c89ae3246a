use std::sync::Arc;
use std::time::Duration;

use flow_table_api::{Key, Table, Timestamp, Value};

use crate::codec::Codec;
use crate::feed::{Parcel, Shared};
use crate::record::{Kind, Mark};
use crate::{Life, Replicated, ShardId, ShardSet, Tracked};

/// Sweeps a table: repeats, in the background, what its standbys must have.
///
/// A sweep walks over the flows in the table. Between a begin and an end marker it names each flow of the shards
/// owned. It repeats the whole flow if its deadline has moved by more than a quarter of its timeout, if it began
/// after the previous sweep did, if records of its shard were lost, and otherwise in every other sweep. So two
/// sweeps hold everything, and a standby that joins late needs no more than them. The end marker tells how far the
/// sweep reaches: it covers the flows that had begun before it. A standby that has received all of a sweep drops
/// what the sweep covers and did not name.
pub struct Sweeper {
    shared: Arc<Shared>,
    number: u64,
    /// What the previous sweep covered.
    covered: Vec<Life>,
    /// When the last one began and when it was over.
    last: Option<(Timestamp, Timestamp)>,
    random: fastrand::Rng,
}

/// A sweep on its way into the outbox.
struct Walk<'s, W> {
    shared: &'s Shared,
    number: u64,
    index: u32,
    parcel: Parcel,
    wait: W,
    stopped: bool,
}

impl<W: FnMut() -> bool> Walk<'_, W> {
    fn hand_over(&mut self, kind: Kind, index: u32, parcel: Parcel) {
        let mut batch = (kind, self.number, index, parcel);
        while !self.stopped {
            match self.shared.outbox.push_sweep(batch) {
                Ok(()) => return,
                Err(back) => batch = back,
            }
            self.stopped = !(self.wait)();
        }
    }

    fn hand_over_records(&mut self) {
        if self.parcel.records > 0 && !self.stopped {
            let (index, parcel) = (self.index, std::mem::take(&mut self.parcel));
            self.index += 1;
            self.hand_over(Kind::Sweep, index, parcel);
            self.stopped |= !(self.wait)();
        }
    }
}

impl Sweeper {
    /// Sweeps this table. A table has one sweeper.
    pub fn new<K, V, T, C>(table: &Replicated<K, V, T, C>) -> Self
    where
        K: Key,
        V: Value,
        T: Table<K, Tracked<V>>,
        C: Codec<K, V>,
    {
        let shared = Arc::clone(table.feed().shared());
        let random = fastrand::Rng::with_seed(shared.origin);
        Self { shared, number: 0, covered: vec![Life::NONE; ShardId::COUNT], last: None, random }
    }

    /// Whether it is time for a sweep: after the interval, or earlier if records were lost. It is not while the
    /// transport stores nothing, since that sweep would be lost as well.
    pub fn is_due(&mut self, now: Timestamp) -> bool {
        let Some((began, over)) = self.last else {
            return true;
        };
        let interval = self.shared.settings.sweep_interval;
        if !self.shared.health.is_storing() {
            return false;
        }
        // Gateways that lost records together do not sweep together.
        let pause = interval.mul_f64((1.0 + self.random.f64()) / 20.0);
        now.saturating_since(began) >= interval
            || self.shared.outbox.is_dirty() && now.saturating_since(over) >= pause
    }

    /// Sweeps the table once. `clock` tells the table's time, and `wait` is called after each batch, and while
    /// the publisher has no room for the next one; if it returns `false`, the sweep is abandoned. Returns `true`
    /// if the sweep was written to its end.
    pub fn sweep<K, V, T, C>(
        &mut self,
        table: &Replicated<K, V, T, C>,
        clock: impl Fn() -> Timestamp,
        wait: impl FnMut() -> bool,
    ) -> bool
    where
        K: Key,
        V: Value,
        T: Table<K, Tracked<V>>,
        C: Codec<K, V>,
    {
        let began = clock();
        self.number += 1;
        let losses = self.shared.outbox.losses();
        let marks = self.shared.ownership.marks();
        if marks.is_empty() {
            // Whatever was lost, somebody else owns it now: final records that wait for a sweep need not.
            self.shared.outbox.repair(losses);
            self.last = Some((began, began));
            return true;
        }
        let shared = Arc::clone(&self.shared);
        let dirty = shared.outbox.take_dirty();
        let turn = |shard: &ShardId| shard.index() as u64 % 2 == self.number % 2;
        let mut full: ShardSet = ShardId::all().filter(turn).collect();
        full.extend(dirty);

        let (number, parcel) = (self.number, Parcel::default());
        let mut walk = Walk { shared: &shared, number, index: 0, parcel, wait, stopped: false };
        walk.hand_over(Kind::SweepBegin, 0, Parcel::marker(marks.iter().copied()));
        table.inner().for_each(|flow| {
            if walk.stopped {
                return;
            }
            table.feed().swept(&mut walk.parcel, &**flow, clock(), |shard, life| {
                full.contains(shard) || life > self.covered[shard.index()]
            });
            if shared.outbox.is_full(&walk.parcel) {
                walk.hand_over_records();
            }
        });
        walk.hand_over_records();
        let index = walk.index;
        walk.hand_over(Kind::SweepEnd, index, Parcel::marker(marks.iter().copied()));
        self.last = Some((began, clock()));
        if walk.stopped {
            shared.outbox.mark_dirty(dirty);
            return false;
        }
        shared.outbox.repair(losses);
        self.cover(&marks);
        shared.counting.sweeps.add(1);
        true
    }

    fn cover(&mut self, marks: &[Mark]) {
        self.covered.fill(Life::NONE);
        marks.iter().for_each(|mark| self.covered[mark.shard.index()] = mark.last);
    }

    /// The longest pause between two looks at [`is_due`](Self::is_due) that makes sense.
    pub fn pause(&self) -> Duration {
        (self.shared.settings.sweep_interval / 20).min(Duration::from_millis(100))
    }
}
