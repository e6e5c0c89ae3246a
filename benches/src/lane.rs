//! One thread's part of a workload: its packets, its clock, its count.

use std::time::Duration;

use flow_table::{Timeout, Timestamp};

use crate::data::{Key, Random, mix};

/// Approximately the idle time of flows that a workload lets expire; see [`Pace`].
const MINUTE: Duration = Duration::from_secs(60);

/// How fast flows come in a table whose flows live for a minute.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Nanoseconds from one new flow to the next: whole microseconds, so that timeouts are exact.
    tick: u64,
    flows: u64,
}

impl Pace {
    /// The pace at which a table holds `flows` flows.
    pub fn of(flows: usize) -> Self {
        let flows = flows as u64;
        let minute = MINUTE.as_micros() as u64;
        Self { tick: 1_000 * (minute / flows).max(1), flows }
    }

    /// When the new flow number `number` comes.
    #[inline]
    pub const fn time(self, number: u64) -> Timestamp {
        Timestamp::from_nanos(self.tick * number)
    }

    /// The time in which `flows` new flows come.
    pub fn span(self, flows: u64) -> Timeout {
        Duration::from_nanos(self.tick * flows).into()
    }

    /// The most new flows that come in this time.
    pub fn flows_in(self, time: Duration) -> usize {
        time.as_nanos().div_ceil(u128::from(self.tick)) as usize
    }

    /// The idle time after which a flow expires just when the table is full.
    pub fn timeout(self) -> Timeout {
        self.span(self.flows)
    }
}

/// Assigns new flows to threads. New flows are numbered over all threads, and the threads take turns.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// This thread's number.
    pub thread: u64,
    /// How many threads run the workload.
    pub threads: u64,
}

impl Turn {
    /// The number of this thread's new flow number `born`.
    #[inline]
    pub const fn number(self, born: u64) -> u64 {
        born * self.threads + self.thread
    }

    /// The reverse of [`number`](Self::number).
    #[inline]
    pub const fn born(self, number: u64) -> u64 {
        (number - self.thread) / self.threads
    }
}

/// One thread's part of a workload.
#[derive(Debug)]
pub struct Lane {
    /// Flows in the table.
    pub flows: u64,
    /// Which new flows are this thread's.
    pub turn: Turn,
    /// The keys of the next run, in order.
    pub keys: Vec<Key>,
    /// Those that it expires.
    pub due: Vec<Key>,
    /// New flows of this thread up to now.
    pub born: u64,
    /// The thread's clock, where it does not follow from `born`.
    pub now: Timestamp,
    /// Random choices.
    pub random: Random,
}

impl Lane {
    /// At the beginning.
    pub fn new(flows: usize, thread: usize, threads: usize) -> Self {
        Self {
            flows: flows as u64,
            turn: Turn { thread: thread as u64, threads: threads as u64 },
            keys: Vec::new(),
            due: Vec::new(),
            born: 0,
            now: Timestamp::ZERO,
            random: Random::new(mix(thread as u64)),
        }
    }

    /// This thread's share of the flows that the table is filled with.
    pub fn share(&self) -> impl Iterator<Item = u64> + use<> {
        (self.turn.thread..self.flows).step_by(self.turn.threads as usize)
    }
}
