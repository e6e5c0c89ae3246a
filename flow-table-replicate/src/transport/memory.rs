use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::traits::{Busy, Event, Outcome, Sink, Source};

/// A log in the memory of the process: for a standby beside its owner, and for tests.
///
/// It keeps the latest batches, up to a number of bytes. Clones are the same log.
///
/// ```
/// # use flow_table_replicate::transport::{MemoryTransport, Sink, Source};
/// # use std::time::Duration;
/// let log = MemoryTransport::new(1 << 20);
/// log.sink().send(1, b"a batch").unwrap();
/// let mut read = Vec::new();
/// log.source().receive(Duration::ZERO, 10, &mut |batch| read.push(batch.to_vec()), &mut |_| ());
/// assert_eq!(read, [b"a batch"]);
/// ```
#[derive(Clone, Debug)]
pub struct MemoryTransport {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    log: Mutex<Log>,
    appended: Condvar,
    limit: usize,
}

#[derive(Debug, Default)]
struct Log {
    batches: VecDeque<Arc<[u8]>>,
    /// The place of the first batch.
    start: u64,
    bytes: usize,
}

impl Log {
    fn end(&self) -> u64 {
        self.start + self.batches.len() as u64
    }
}

impl MemoryTransport {
    /// A log that keeps the latest batches of at most `limit` bytes in all.
    pub fn new(limit: usize) -> Self {
        Self { shared: Arc::new(Shared { log: Mutex::default(), appended: Condvar::new(), limit }) }
    }

    /// A sink that appends to the log.
    pub fn sink(&self) -> MemorySink {
        MemorySink { shared: Arc::clone(&self.shared), outcomes: Vec::new() }
    }

    /// A source that reads what the log holds, and then what is appended.
    pub fn source(&self) -> MemorySource {
        let place = self.shared.log.lock().start;
        MemorySource { shared: Arc::clone(&self.shared), place }
    }
}

/// See [`MemoryTransport::sink`].
#[derive(Debug)]
pub struct MemorySink {
    shared: Arc<Shared>,
    outcomes: Vec<Outcome>,
}

impl Sink for MemorySink {
    fn send(&mut self, token: u64, batch: &[u8]) -> Result<(), Busy> {
        let mut log = self.shared.log.lock();
        log.bytes += batch.len();
        log.batches.push_back(batch.into());
        while log.bytes > self.shared.limit {
            let Some(oldest) = log.batches.pop_front() else { break };
            log.bytes -= oldest.len();
            log.start += 1;
        }
        drop(log);
        self.shared.appended.notify_all();
        self.outcomes.push(Outcome { token, stored: true });
        Ok(())
    }

    fn outcomes(&mut self, outcomes: &mut Vec<Outcome>) {
        outcomes.append(&mut self.outcomes);
    }
}

/// See [`MemoryTransport::source`].
#[derive(Debug)]
pub struct MemorySource {
    shared: Arc<Shared>,
    place: u64,
}

impl Source for MemorySource {
    fn receive(
        &mut self,
        wait: Duration,
        limit: usize,
        deliver: &mut dyn FnMut(&[u8]),
        event: &mut dyn FnMut(Event),
    ) -> usize {
        let until = Instant::now() + wait;
        for received in 0..limit {
            let mut log = self.shared.log.lock();
            while received == 0 && log.end() <= self.place {
                if self.shared.appended.wait_until(&mut log, until).timed_out() {
                    break;
                }
            }
            if let Some(missed) = log.start.checked_sub(self.place).filter(|missed| *missed > 0) {
                self.place = log.start;
                event(Event::Truncated(missed));
            }
            let at = (self.place - log.start) as usize;
            let Some(batch) = log.batches.get(at).map(Arc::clone) else {
                return received;
            };
            drop(log);
            self.place += 1;
            deliver(&batch);
        }
        limit
    }

    fn behind(&self) -> u64 {
        self.shared.log.lock().end().saturating_sub(self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_too_slow_is_told() {
        let log = MemoryTransport::new(3);
        let (mut sink, mut source) = (log.sink(), log.source());
        (0..5).for_each(|token| sink.send(token, &[token as u8]).unwrap());
        assert_eq!(source.behind(), 5);
        let (mut read, mut events) = (Vec::new(), Vec::new());
        let mut receive = |limit| {
            source
                .receive(Duration::ZERO, limit, &mut |batch| read.push(batch[0]), &mut |event| events.push(event))
        };
        assert_eq!((receive(2), receive(9), receive(9)), (2, 1, 0));
        assert_eq!((read, events), (vec![2, 3, 4], vec![Event::Truncated(2)]));
        let mut outcomes = Vec::new();
        sink.outcomes(&mut outcomes);
        assert!(outcomes.len() == 5 && outcomes.iter().all(|outcome| outcome.stored));
    }
}
