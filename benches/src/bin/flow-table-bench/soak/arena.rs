use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak, mpsc};
use std::thread;
use std::time::Instant;
use std::{io::Write, panic::resume_unwind};

use anyhow::{Context, Result, bail};
use flow_table::{FlowKey, Table};

use super::body::Body;
use super::progress::{PATIENCE, Watch};
use super::rest;
use super::setting::Setting;
use super::tally::{Tally, Total};
use super::temper::Mood;
use super::verdict::Verdict;
use super::worker::Worker;
use super::world::{Pulse, World};

/// A table, and the workers that use it from round to round.
pub(super) struct Arena<T: Table<FlowKey, Body> + 'static> {
    pub(super) world: Arc<World<T>>,
    workers: Vec<Worker<T>>,
    /// What was done to the table at rest.
    at_rest: Tally,
    /// What a table may take at rest.
    limit: rest::Limit,
}

impl<T: Table<FlowKey, Body> + 'static> Arena<T> {
    pub(super) fn new(
        setting: Setting,
        flows: usize,
        seed: u64,
        verdict: &Arc<Verdict>,
        pulses: &Arc<[Pulse]>,
    ) -> Self {
        let mut world = World::new(setting, flows, seed, Arc::clone(verdict), Arc::clone(pulses));
        let limit = rest::Limit::measure::<T>(&world, seed);
        let mut at_rest = Tally::default();
        if let Err(violation) = world.settle(&mut at_rest) {
            verdict.violated(violation);
        }
        let world = Arc::new(world);
        if setting.hostile {
            world.ledger.forgive();
        }
        let called: Weak<World<T>> = Arc::downgrade(&world);
        world.ledger.temper().meet(called);
        let workers = (0..pulses.len()).map(|thread| Worker::new(&world, thread, seed)).collect();
        Self { world, workers, at_rest, limit }
    }

    /// All threads work until the round is over, and then the whole table is checked.
    ///
    /// # Errors
    ///
    /// Returns an error if a thread hangs, or something cannot be written.
    pub(super) fn round(
        &mut self,
        watch: &mut Watch<'_, impl Write>,
        quota: u64,
        end: Option<Instant>,
    ) -> Result<()> {
        // Relaxed, here and below: starting the threads orders this before them.
        self.world.over.store(false, Ordering::Relaxed);
        let mood = if self.world.setting.hostile { Mood::Hostile } else { Mood::Busy };
        self.world.ledger.temper().set(mood);
        watch.begin();
        let (sender, done) = mpsc::channel::<()>();
        let start = |mut worker: Worker<T>| {
            let alive = sender.clone();
            thread::spawn(move || {
                let _alive = alive;
                worker.round(quota);
                worker
            })
        };
        let threads: Vec<_> = self.workers.drain(..).map(start).collect();
        drop(sender);
        let end = end.map(|end| end.min(Instant::now() + self.world.setting.time()));
        if !watch.wait(&self.world, &done, end)? {
            self.world.over.store(true, Ordering::Relaxed);
            watch.wait(&self.world, &done, None)?;
        }
        let joined = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        self.workers.extend(joined);
        self.world.ledger.temper().set(Mood::Calm);
        if let Err(violation) = rest::check(&self.world, &self.workers, &mut self.at_rest, &self.limit) {
            self.world.verdict.violated(violation);
        }
        Ok(())
    }

    /// What was done in all, so far.
    pub(super) fn total(&self) -> Total {
        let mut tally = self.at_rest;
        self.workers.iter().for_each(|worker| tally += worker.tally);
        tally += *self.world.in_drops();
        Total::new(tally, self.world.table.stats(), self.world.ledger.temper().panics(), self.world.setting)
    }

    /// Drops the table while handles to its flows are held, then these.
    ///
    /// # Errors
    ///
    /// Returns an error if that does not return.
    pub(super) fn end(self) -> Result<()> {
        let (sender, done) = mpsc::channel();
        let forgotten = self.world.setting.forgets_a_burst;
        let ending = thread::spawn(move || sender.send(self.end_here()));
        match done.recv_timeout(PATIENCE) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let after = if forgotten { ", after a burst was forgotten" } else { "" };
                bail!("V3: dropping the table has taken more than {} s{after}", PATIENCE.as_secs())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => match ending.join() {
                Err(panic) => resume_unwind(panic),
                Ok(_) => bail!("the table was dropped and nobody knows"),
            },
        }
    }

    fn end_here(self) -> Result<()> {
        let made = self.total().tally.made;
        let spared = rest::spared(&self.world, &self.workers);
        let verdict = Arc::clone(&self.world.verdict);
        let held = self.workers.into_iter().map(Worker::into_held).collect();
        let world = Arc::into_inner(self.world).context("a thread is still there")?;
        if let Err(violation) = rest::end(world, held, made, spared) {
            verdict.violated(violation);
        }
        Ok(())
    }
}
