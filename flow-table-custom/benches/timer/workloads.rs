//! What both queues are put through.

use std::time::{Duration, Instant};

use flow_table_api::Timestamp;

use crate::baseline::Queue;
use crate::ids::EntryIndex;
use crate::records::{Records, entry, number};

const QUEUES: usize = 16;
const BURST: usize = 32;
/// The timeouts of flows, in equal shares of the arrivals.
const TIMEOUTS: [u64; 4] = [15, 60, 120, 300];
/// How long a flow lives on average.
const MEAN_TIMEOUT: Duration = Duration::from_millis(123_750);

/// One number that a workload gave.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
}

/// Queues, their flows, and a clock.
pub(crate) struct World<Q> {
    queues: Vec<Q>,
    records: Records,
    flows: usize,
    /// Entries not filed.
    free: Vec<EntryIndex>,
    now: Timestamp,
    random: Random,
}

impl<Q: Queue> World<Q> {
    pub(crate) fn new(flows: usize) -> Self {
        let entries = flows + flows / 8;
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut free: Vec<EntryIndex> = (0..entries).map(entry).collect();
        for last in (1..entries).rev() {
            free.swap(last, random.below(last as u64 + 1) as usize);
        }
        let queues = (0..QUEUES).map(|_| Q::new()).collect();
        Self { queues, records: Records::new(entries), flows, free, now: Timestamp::from_secs(1_000_000), random }
    }

    /// Every workload once. Begins and ends with empty queues.
    pub(crate) fn round(&mut self) -> Vec<Measure> {
        let mut measures = self.fill();
        measures.push(self.churn());
        measures.push(self.refresh());
        measures.push(self.cancel());
        measures.push(self.idle());
        measures.push(self.storm());
        assert!(self.queues.iter().all(|queue| queue.next_due().is_none()));
        measures
    }

    fn queue_of(entry: EntryIndex) -> usize {
        number(entry) % QUEUES
    }

    fn arm(&mut self, entry: EntryIndex, timeout: Duration) {
        let (queue, deadline) = (&mut self.queues[Self::queue_of(entry)], self.now + timeout);
        self.records.set_deadline(entry, deadline);
        queue.arm(entry, deadline, &mut self.records).expect("there is memory");
    }

    /// The timeout of a new flow.
    fn timeout(&mut self) -> Duration {
        Duration::from_secs(TIMEOUTS[self.random.below(4) as usize])
    }

    /// The time left of a flow that is there already: long timeouts are met more often, anywhere within them.
    fn time_left(&mut self) -> Duration {
        let mut share = self.random.below(TIMEOUTS.iter().sum());
        let timeout =
            TIMEOUTS.into_iter().find(|timeout| share.checked_sub(*timeout).map(|left| share = left).is_none());
        Duration::from_nanos(self.random.below(timeout.unwrap_or(1) * 1_000_000_000))
    }

    /// Takes out what is due; how many entries were taken out.
    fn reap(&mut self) -> usize {
        let before = self.free.len();
        for queue in &mut self.queues {
            if queue.next_due().is_some_and(|next| next <= self.now) {
                let (mut budget, mut rescheduled) = (usize::MAX, 0);
                let due = || queue.pop_due(self.now, &mut budget, &mut rescheduled, &mut self.records);
                self.free.extend(std::iter::from_fn(due));
            }
        }
        self.free.len() - before
    }

    /// All flows arrive at once, with deadlines as in a table that has run for long.
    fn fill(&mut self) -> Vec<Measure> {
        let timeouts: Vec<Duration> = (0..self.flows).map(|_| self.time_left()).collect();
        let (start, mut worst) = (Instant::now(), Duration::ZERO);
        for burst in timeouts.chunks(BURST) {
            let start = Instant::now();
            for timeout in burst {
                let entry = self.free.pop().expect("there are more entries than flows");
                self.arm(entry, *timeout);
            }
            worst = worst.max(start.elapsed());
        }
        let elapsed = start.elapsed();
        let memory: usize = self.queues.iter().map(Queue::memory).sum();
        vec![
            measure("fill", "ns per flow", elapsed, self.flows),
            Measure { name: "fill, worst burst", unit: "µs", value: worst.as_secs_f64() * 1e6 },
            Measure { name: "memory", unit: "bytes per flow", value: memory as f64 / self.flows as f64 },
        ]
    }

    /// Flows come and go: arm one, expire one.
    fn churn(&mut self) -> Measure {
        let arrivals = self.flows / 2;
        let gap = MEAN_TIMEOUT.mul_f64(BURST as f64 / self.flows as f64);
        let mut expired = 0;
        let start = Instant::now();
        for _ in 0..arrivals / BURST {
            self.now += gap;
            for _ in 0..BURST {
                let (timeout, entry) = (self.timeout(), self.free.pop().expect("as many go as come"));
                self.arm(entry, timeout);
            }
            expired += self.reap();
        }
        let elapsed = start.elapsed();
        assert!(expired.abs_diff(arrivals) <= arrivals / 10 + 200, "{expired} of {arrivals}");
        measure("churn", "ns per flow", elapsed, arrivals)
    }

    /// A minute in which 19 of 20 flows are refreshed; those that expire are armed again.
    fn refresh(&mut self) -> Measure {
        const STEPS: u32 = 1000;
        let minute = Duration::from_secs(60);
        for number in 0..self.flows + self.flows / 8 {
            let (entry, left) = (entry(number), self.time_left());
            if self.random.below(20) != 0 {
                self.records.set_deadline(entry, self.records.deadline(entry).max(self.now + minute + left));
            }
        }
        let start = Instant::now();
        for _ in 0..STEPS {
            self.now += minute / STEPS;
            for _ in 0..self.reap() {
                let (timeout, entry) = (self.timeout(), self.free.pop().expect("just expired"));
                self.arm(entry, timeout);
            }
        }
        measure("a minute of refreshes", "ns per flow", start.elapsed(), self.flows)
    }

    /// Flows picked at random are taken out and armed again.
    fn cancel(&mut self) -> Measure {
        let pairs = self.flows / 4;
        let entries = (self.flows + self.flows / 8) as u64;
        let start = Instant::now();
        for _ in 0..pairs {
            let (entry, timeout) = (entry(self.random.below(entries) as usize), self.timeout());
            if self.queues[Self::queue_of(entry)].disarm(entry, &mut self.records) {
                self.arm(entry, timeout);
            }
        }
        measure("cancel and arm", "ns per pair", start.elapsed(), pairs)
    }

    /// Nothing is due: what all queues cost together.
    fn idle(&mut self) -> Measure {
        const CALLS: usize = 10_000;
        self.reap();
        let start = Instant::now();
        for _ in 0..CALLS {
            self.now += Duration::from_nanos(1);
            assert!(self.reap() <= self.flows / 100);
        }
        measure("idle", "ns for 16", start.elapsed(), CALLS)
    }

    /// Everything is due at once.
    fn storm(&mut self) -> Measure {
        self.now += Duration::from_secs(1_000);
        let start = Instant::now();
        let flows = self.reap();
        measure("storm", "ns per flow", start.elapsed(), flows)
    }
}

fn measure(name: &'static str, unit: &'static str, elapsed: Duration, operations: usize) -> Measure {
    Measure { name, unit, value: elapsed.as_secs_f64() * 1e9 / operations as f64 }
}

/// xorshift64*: the same numbers for both queues.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((u128::from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)) * u128::from(limit)) >> 64) as u64
    }
}
