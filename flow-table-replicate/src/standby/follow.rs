use std::sync::Arc;
use std::time::Duration;

use flow_table_api::{Flow as _, Key, Table, Timestamp, Value};

use super::apply::{Applied, Apply};
use super::origins::{Complete, Origins};
use super::tombstones::Tombstones;
use crate::codec::Codec;
use crate::record::{Batch, BatchError, Kind, RecordError};
use crate::transport::{Event, Source};
use crate::{Replicated, ShardSet, Tracked};

/// Lets a table follow what other processes publish. Poll it on a thread of its own; a
/// [`Gateway`](crate::Gateway) does.
///
/// The table holds the flows that it follows like its own, so a take-over walks over nothing. A flow's deadline is
/// the local time of receipt, plus what remained, plus a quarter of its timeout and the
/// [slack](crate::Settings::slack): clocks of two machines are never compared, and what nobody repeats runs out by
/// itself. Flows of shards that this process owns are not changed.
pub struct Standby<K, V, T, C, S> {
    table: Arc<Replicated<K, V, T, C>>,
    source: S,
    state: State,
}

struct State {
    origins: Origins,
    tombstones: Tombstones,
    heard: Timestamp,
    completed: Option<Timestamp>,
}

impl<K, V, T, C, S> Standby<K, V, T, C, S>
where
    K: Key,
    V: Value,
    T: Table<K, Tracked<V>>,
    C: Codec<K, V>,
    S: Source,
{
    /// `table` follows `source`. A table follows one source.
    pub fn new(table: Arc<Replicated<K, V, T, C>>, source: S) -> Self {
        let settings = &table.feed().shared().settings;
        // A batch may be on its way for a while after it was repeated for the last time.
        let tombstones = Tombstones::new(settings.tombstones, settings.give_up.saturating_mul(2));
        let (origins, heard) = (Origins::default(), Timestamp::ZERO);
        Self { table, source, state: State { origins, tombstones, heard, completed: None } }
    }

    /// Applies what has come, at most `limit` batches, and returns their number. `now` is the table's time. Waits
    /// for the first batch, at most for `wait`.
    pub fn poll(&mut self, now: Timestamp, wait: Duration, limit: usize) -> usize {
        let Self { table, source, state } = self;
        let counting = &table.feed().shared().counting;
        let mut event = |event| {
            if let Event::Truncated(batches) = event {
                counting.gaps.add(batches);
            }
        };
        let received = source.receive(wait, limit, &mut |bytes| state.batch(table, bytes, now), &mut event);
        self.table.feed().shared().health.heard(now.saturating_since(self.state.heard));
        received
    }

    /// The number of batches in the log that have not been applied yet, as far as the transport knows.
    pub fn behind(&self) -> u64 {
        self.source.behind()
    }

    /// When the last sweep was complete, on the clock that was passed to [`poll`](Self::poll).
    pub const fn completed(&self) -> Option<Timestamp> {
        self.state.completed
    }
}

impl State {
    fn batch<K, V, T, C>(&mut self, table: &Replicated<K, V, T, C>, bytes: &[u8], now: Timestamp)
    where
        K: Key,
        V: Value,
        T: Table<K, Tracked<V>>,
        C: Codec<K, V>,
    {
        let shared = table.feed().shared();
        let counting = &shared.counting;
        counting.received.add(1);
        // Its own records come back, and nobody needs them here.
        if Batch::has_records_of(bytes, shared.origin) {
            return;
        }
        let batch = match Batch::parse(bytes) {
            Ok(batch) => batch,
            Err(BatchError::Unknown { .. }) => return counting.unknown.add(1),
            Err(_) => return counting.corrupt.add(1),
        };
        let header = batch.header;
        if header.origin == shared.origin {
            // A heartbeat or a marker, after the claims before it.
            shared.outbox.see_own(header.number);
            if header.kind == Kind::Claim {
                batch.marks().for_each(|mark| shared.ownership.fence(mark.shard, mark.epoch));
                shared.outbox.see_claim(header.sweep);
            }
            return;
        }
        self.heard = now;
        counting.gaps.add(self.origins.count(&header));
        for mark in batch.marks() {
            // If the epoch is over, its sweep covers nothing either: see `drop_unnamed`.
            let _ = shared.ownership.observe(mark.shard, mark.epoch);
        }
        let tag = self.origins.tag(&header);
        let tombstones = &mut self.tombstones;
        let mut apply = Apply { table, tombstones, now, tag: tag.unwrap_or(0) };
        for record in batch.records() {
            let count = match record.map(|record| apply.record(&record)) {
                Ok(Applied::Yes) => &counting.applied,
                Ok(Applied::Duplicate) => &counting.duplicates,
                Ok(Applied::Stale) => &counting.stale,
                Ok(Applied::Missing) => &counting.missing,
                Ok(Applied::Misplaced) => &counting.misplaced,
                Ok(Applied::Refused) => &counting.refused,
                Ok(Applied::Corrupt) | Err(RecordError::Malformed) => &counting.corrupt,
                Err(RecordError::Unknown(_)) => &counting.unknown,
            };
            count.add(1);
        }
        if tag.is_some()
            && let Some(complete) = self.origins.swept(&header, batch.marks())
        {
            drop_unnamed(table, &complete);
            self.tombstones.swept(now);
            self.completed = Some(now);
            counting.completed.add(1);
        }
    }
}

/// Removes the flows that the sweep covers and did not name.
fn drop_unnamed<K, V, T, C>(table: &Replicated<K, V, T, C>, complete: &Complete)
where
    K: Key,
    V: Value,
    T: Table<K, Tracked<V>>,
    C: Codec<K, V>,
{
    let shared = table.feed().shared();
    let mut last = [None; crate::ShardId::COUNT];
    let mut covered = ShardSet::EMPTY;
    for mark in &complete.marks {
        let role = shared.ownership.role(mark.shard);
        if !role.owned && role.epoch == mark.epoch {
            last[mark.shard.index()] = Some(mark.last);
            covered.insert(mark.shard);
        }
    }
    if covered.is_empty() {
        return;
    }
    table.inner().for_each(|flow| {
        let tracked = flow.value();
        let is_covered = last[tracked.shard().index()].is_some_and(|last| tracked.life() <= last);
        if is_covered && tracked.mark() != complete.tag && table.inner().remove_flow(flow) == Ok(true) {
            shared.counting.unnamed.add(1);
        }
    });
}
