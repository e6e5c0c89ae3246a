//! A transport that does everything a transport may do to batches, by the dice of a seed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flow_table_replicate::transport::{Busy, Event, Outcome, Sink, Source};

/// The log, and what is on its way to it.
#[derive(Clone)]
pub struct Net(Arc<Mutex<Log>>);

struct Log {
    dice: fastrand::Rng,
    faults: bool,
    /// Nobody can reach the log.
    down: bool,
    /// Batches that are under way to the log.
    under_way: VecDeque<Vec<u8>>,
    batches: Vec<Vec<u8>>,
    /// The first batch that the log still has.
    start: usize,
}

impl Net {
    pub fn new(seed: u64) -> Self {
        let dice = fastrand::Rng::with_seed(seed ^ 0x6e65_7400);
        let (under_way, batches) = (VecDeque::new(), Vec::new());
        Self(Arc::new(Mutex::new(Log { dice, faults: true, down: false, under_way, batches, start: 0 })))
    }

    /// From now on every batch arrives, once and in order.
    pub fn heal(&self) {
        let mut log = self.0.lock().unwrap();
        (log.faults, log.down) = (false, false);
        log.settle(usize::MAX);
    }

    /// Something happens: the log goes down, comes back, loses its old end, takes in what was under way.
    pub fn step(&self) {
        let mut log = self.0.lock().unwrap();
        match log.dice.u32(0..100) {
            0..4 => log.down = !log.down,
            4..6 => {
                let (start, end) = (log.start, log.batches.len());
                log.start = log.dice.usize(start..=end);
            }
            6..9 => {
                // Stored and acknowledged, and lost all the same.
                if let Some(lost) = log.batches.len().checked_sub(1).filter(|last| *last >= log.start) {
                    log.batches[lost] = Vec::new();
                }
            }
            _ => log.settle(1),
        }
    }

    pub fn sink(&self) -> SimSink {
        SimSink { net: self.clone(), outcomes: Vec::new() }
    }

    pub fn source(&self) -> SimSource {
        SimSource { net: self.clone(), place: 0 }
    }
}

impl Log {
    fn settle(&mut self, most: usize) {
        for _ in 0..most {
            if self.under_way.is_empty() {
                return;
            }
            // Any of them comes next.
            let at = if self.faults { self.dice.usize(0..self.under_way.len()) } else { 0 };
            let batch = self.under_way.remove(at).unwrap();
            self.batches.push(batch);
        }
    }
}

pub struct SimSink {
    net: Net,
    outcomes: Vec<Outcome>,
}

impl Sink for SimSink {
    fn send(&mut self, token: u64, batch: &[u8]) -> Result<(), Busy> {
        let mut log = self.net.0.lock().unwrap();
        let (chance, rot) = (if log.faults { log.dice.u32(0..100) } else { 99 }, log.dice.usize(0..batch.len()));
        if log.down {
            // Some are taken and never heard of again.
            return if chance < 50 { Err(Busy) } else { Ok(()) };
        }
        match chance {
            0..5 => return Err(Busy),
            5..12 => {}
            12..20 => log.under_way.push_back(batch.to_vec()),
            20..24 => {
                let mut rotten = batch.to_vec();
                rotten[rot] ^= 0x10;
                log.batches.push(rotten);
            }
            24..30 => {
                // Stored, but its writer hears that it was not.
                log.batches.push(batch.to_vec());
                self.outcomes.push(Outcome { token, stored: false });
            }
            _ => {
                log.batches.push(batch.to_vec());
                self.outcomes.push(Outcome { token, stored: true });
            }
        }
        Ok(())
    }

    fn outcomes(&mut self, outcomes: &mut Vec<Outcome>) {
        outcomes.append(&mut self.outcomes);
    }
}

pub struct SimSource {
    net: Net,
    place: usize,
}

impl Source for SimSource {
    fn receive(
        &mut self,
        _: Duration,
        limit: usize,
        deliver: &mut dyn FnMut(&[u8]),
        event: &mut dyn FnMut(Event),
    ) -> usize {
        let mut log = self.net.0.lock().unwrap();
        if log.down {
            return 0;
        }
        let chance = if log.faults { log.dice.u32(0..100) } else { 99 };
        match chance {
            // A reconnection: it reads some of it again.
            0..5 => {
                let start = log.start.min(self.place);
                self.place = log.dice.usize(start..=self.place);
                event(Event::Reconnected);
            }
            5..8 => return 0,
            _ => {}
        }
        if self.place < log.start {
            event(Event::Truncated((log.start - self.place) as u64));
            self.place = log.start;
        }
        let (faults, mut dice) = (log.faults, log.dice.fork());
        let end = log.batches.len().min(self.place.saturating_add(limit));
        let mut batches = log.batches[self.place..end].to_vec();
        self.place = end;
        drop(log);
        if faults {
            if dice.u8(0..10) == 0 {
                dice.shuffle(&mut batches);
            }
            batches.retain(|_| dice.u8(0..50) != 0);
            if let Some(again) = batches.first().cloned().filter(|_| dice.u8(0..10) == 0) {
                batches.push(again);
            }
        }
        let received = batches.len();
        batches.iter().filter(|batch| !batch.is_empty()).for_each(|batch| deliver(batch));
        received
    }

    fn behind(&self) -> u64 {
        (self.net.0.lock().unwrap().batches.len() - self.place) as u64
    }
}
