use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use flow_table::{FlowKey, Table};
use flow_table_benches::resident_bytes;
use indicatif::{HumanBytes, HumanCount};

use super::body::Body;
use super::world::{Pulse, World};

const SECOND: Duration = Duration::from_secs(1);
/// A thread that takes longer for one operation hangs. So does a table that takes longer to be dropped.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// Watches the threads, and says each second how far they are.
pub(super) struct Watch<'o, O> {
    started: Instant,
    next: Instant,
    out: &'o mut O,
    /// Operations when the last line was written.
    before: u64,
    threads: Vec<Seen>,
    pub(super) most_resident: u64,
    pub(super) most_bytes: usize,
}

/// A thread's last sign of life.
#[derive(Clone, Copy)]
struct Seen {
    operations: u64,
    at: Instant,
}

impl<'o, O: Write> Watch<'o, O> {
    pub(super) fn new(threads: usize, out: &'o mut O) -> Self {
        let started = Instant::now();
        Self {
            started,
            next: started + SECOND,
            out,
            before: 0,
            threads: vec![Seen { operations: 0, at: started }; threads],
            most_resident: 0,
            most_bytes: 0,
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits until no thread has a sender of `done` any more, or `end` comes. Returns whether it was the former.
    ///
    /// # Errors
    ///
    /// If a thread hangs, or nothing can be written.
    pub(super) fn wait<T: Table<FlowKey, Body>>(
        &mut self,
        world: &World<T>,
        done: &Receiver<()>,
        end: Option<Instant>,
    ) -> Result<bool> {
        loop {
            let now = Instant::now();
            if end.is_some_and(|end| end <= now) {
                return Ok(false);
            }
            let until = end.map_or(self.next, |end| end.min(self.next));
            match done.recv_timeout(until.saturating_duration_since(now)) {
                Err(RecvTimeoutError::Disconnected) => return Ok(true),
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            }
            if self.next <= Instant::now() {
                self.look(&world.pulses)?;
                self.report(world)?;
                self.next = Instant::now() + SECOND;
            }
        }
    }

    /// All threads begin anew.
    pub(super) fn begin(&mut self) {
        let at = Instant::now();
        self.threads.iter_mut().for_each(|seen| seen.at = at);
    }

    fn look(&mut self, pulses: &[Pulse]) -> Result<()> {
        let now = Instant::now();
        for (thread, (seen, pulse)) in self.threads.iter_mut().zip(pulses).enumerate() {
            let operations = pulse.operations();
            if operations != seen.operations {
                *seen = Seen { operations, at: now };
            } else if now - seen.at > PATIENCE {
                let doing = pulse.doing().name();
                bail!("X1: thread {thread} has been in {doing} for more than {} s", PATIENCE.as_secs());
            }
        }
        Ok(())
    }

    pub(super) fn report<T: Table<FlowKey, Body>>(&mut self, world: &World<T>) -> Result<()> {
        let operations = world.pulses.iter().map(Pulse::operations).sum();
        let rate = operations - std::mem::replace(&mut self.before, operations);
        let (stats, resident) = (world.table.stats(), resident_bytes().unwrap_or(0));
        self.most_resident = self.most_resident.max(resident);
        self.most_bytes = self.most_bytes.max(stats.bytes);
        writeln!(
            self.out,
            "{:>6} s  {} operations, {} more; {} table: {} flows, {} ended, {}; resident {}",
            self.elapsed().as_secs(),
            HumanCount(operations),
            HumanCount(rate),
            world.setting.name(),
            HumanCount(stats.flows as u64),
            HumanCount(stats.ended.total()),
            HumanBytes(stats.bytes as u64),
            HumanBytes(resident)
        )?;
        Ok(())
    }
}
