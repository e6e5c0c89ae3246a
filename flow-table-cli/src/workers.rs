//! Several threads, each with a table of its own.
//!
//! The calling thread reads packets, makes keys, and gives each packet to the worker of its key, so that all
//! packets of a flow go through one table in their order. Every packet has the time that one thread would have
//! handled it at. Work is handed out in rounds: each round ends at one time for all workers, and each of them
//! reaps at that time. So records are those of one thread, and the changes of a round, put in order, tell how many
//! flows were live at each packet.
//!
//! The calling thread runs ahead of the workers by at most `AHEAD` rounds, and writes the records that they
//! return.

use std::hash::BuildHasher;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, Scope};

use anyhow::{Result, anyhow};
use flow_table::{FlowKey, Table, Timestamp};
use foldhash::fast::RandomState;

use crate::clock::PacketClock;
use crate::keyed::KeyedPacket;
use crate::record::{FlowRecord, Record};
use crate::replay::{Balance, Change, Ends, Engine, Replay, Sink, Stamp, Totals};

/// Packets of a round.
const ROUND: usize = 8_192;
/// Rounds that workers may be behind.
const AHEAD: usize = 3;
/// Records that travel together at the end.
const PART: usize = 1_024;

/// What a worker is to do in a round.
struct Job {
    packets: Vec<(Stamp, KeyedPacket)>,
    /// The time at the end of the round.
    until: Timestamp,
}

/// What a worker did in a round, or a part of what it has at the end.
struct Done {
    records: Vec<FlowRecord>,
    changes: Vec<Change>,
    totals: Option<Totals>,
}

struct Worker {
    jobs: SyncSender<Job>,
    done: Receiver<Result<Done>>,
    /// Its packets of this round.
    packets: Vec<(Stamp, KeyedPacket)>,
}

/// The threads, and what is known so far.
pub(crate) struct Workers {
    workers: Vec<Worker>,
    hasher: RandomState,
    clock: PacketClock,
    number: u64,
    waiting: usize,
    /// Rounds that were handed out and whose results have not been taken.
    open_rounds: usize,
    balance: Balance,
}

impl Workers {
    /// Starts threads that end with `self`. They share the capacity evenly.
    pub(crate) fn start<'scope, T: Table<FlowKey, Record>>(
        scope: &'scope Scope<'scope, '_>,
        count: usize,
        capacity: usize,
        ends: Ends,
    ) -> Self {
        let worker = |_| {
            let (jobs, to_do) = mpsc::sync_channel(AHEAD + 1);
            let (results, done) = mpsc::sync_channel(AHEAD + 2);
            scope.spawn(move || work::<T>(Replay::new(capacity.div_ceil(count), ends), &to_do, &results));
            Worker { jobs, done, packets: Vec::with_capacity(2 * ROUND / count) }
        };
        Self {
            workers: (0..count).map(worker).collect(),
            hasher: RandomState::default(),
            clock: PacketClock::default(),
            number: 0,
            waiting: 0,
            open_rounds: 0,
            balance: Balance::default(),
        }
    }

    /// Hands out what waits.
    fn hand_out(&mut self) {
        let until = self.clock.now();
        for worker in &mut self.workers {
            let next = Vec::with_capacity(worker.packets.len() + worker.packets.len() / 4);
            let packets = std::mem::replace(&mut worker.packets, next);
            // A worker that ended has left an error, which the next result is.
            let _ = worker.jobs.send(Job { packets, until });
        }
        self.waiting = 0;
        self.open_rounds += 1;
    }

    /// Takes the results of the oldest rounds until at most `left` are open.
    fn take(&mut self, left: usize, sink: &mut Sink<'_>) -> Result<()> {
        while self.open_rounds > left {
            self.open_rounds -= 1;
            let mut changes = Vec::new();
            for worker in &self.workers {
                let done = worker.done.recv().map_err(|_| anyhow!("a worker has ended"))??;
                changes.extend(done.changes);
                done.records.into_iter().try_for_each(&mut *sink)?;
            }
            self.balance.apply(changes);
        }
        Ok(())
    }
}

impl Engine for Workers {
    fn packet(&mut self, packet: KeyedPacket, sink: &mut Sink<'_>) -> Result<()> {
        let stamp = Stamp { now: self.clock.advance(packet.timestamp), number: self.number };
        self.number += 1;
        let hash = self.hasher.hash_one(packet.key);
        let place = ((u128::from(hash) * self.workers.len() as u128) >> 64) as usize;
        self.workers[place].packets.push((stamp, packet));
        self.waiting += 1;
        if self.waiting == ROUND {
            self.hand_out();
            self.take(AHEAD, sink)?;
        }
        Ok(())
    }

    fn advance(&mut self, timestamp: i128) {
        self.clock.advance(timestamp);
    }

    fn flush(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        self.hand_out();
        self.take(0, sink)
    }

    fn live(&self, _visit: &mut dyn FnMut(FlowRecord)) {}

    fn finish(mut self, sink: &mut Sink<'_>) -> Result<Totals> {
        self.flush(sink)?;
        let mut totals = Totals::default();
        for Worker { jobs, done, .. } in self.workers {
            drop(jobs);
            let own = loop {
                let done = done.recv().map_err(|_| anyhow!("a worker has ended"))??;
                done.records.into_iter().try_for_each(&mut *sink)?;
                if let Some(totals) = done.totals {
                    break totals;
                }
            };
            totals.flows += own.flows;
            totals.live_at_end += own.live_at_end;
            totals.refused += own.refused;
            totals.table_bytes += own.table_bytes;
            // They work at the same time.
            totals.table_time = totals.table_time.max(own.table_time);
        }
        Ok(Totals { peak_live: self.balance.peak, ..totals })
    }
}

/// Passes packets through the tables of `count` threads, as [`Replay`] does with one.
///
/// # Errors
///
/// Returns the error of `sink`, or that of a table that gets no memory.
pub fn replay<T: Table<FlowKey, Record>>(
    packets: &[KeyedPacket],
    count: usize,
    capacity: usize,
    ends: Ends,
    sink: &mut Sink<'_>,
) -> Result<Totals> {
    thread::scope(|scope| {
        let mut workers = Workers::start::<T>(scope, count, capacity, ends);
        packets.iter().try_for_each(|packet| workers.packet(packet.clone(), sink))?;
        workers.finish(sink)
    })
}

/// Does the jobs until there are no more.
fn work<T: Table<FlowKey, Record>>(
    mut replay: Replay<T>,
    jobs: &Receiver<Job>,
    results: &SyncSender<Result<Done>>,
) {
    replay.note_changes();
    for Job { packets, until } in jobs {
        let mut records = Vec::new();
        let mut sink = |record| {
            records.push(record);
            Ok(())
        };
        let mut outcome =
            packets.into_iter().try_for_each(|(stamp, packet)| replay.stamped(stamp, packet, &mut sink));
        outcome = outcome.and_then(|()| replay.flush_at(until, &mut sink));
        let failed = outcome.is_err();
        let done = outcome.map(|()| Done { records, changes: replay.take_changes(), totals: None });
        if results.send(done).is_err() || failed {
            return;
        }
    }
    // The last flows may be many, so they travel in parts.
    let mut records = Vec::with_capacity(PART);
    let part = |records| Done { records, changes: Vec::new(), totals: None };
    let totals = replay.end(&mut |record| {
        records.push(record);
        if records.len() == PART {
            let full = std::mem::replace(&mut records, Vec::with_capacity(PART));
            results.send(Ok(part(full))).map_err(|_| anyhow!("nobody listens"))?;
        }
        Ok(())
    });
    // Nobody listens any more if the replay has failed.
    let _ = results.send(totals.map(|totals| Done { records, changes: Vec::new(), totals: Some(totals) }));
}
