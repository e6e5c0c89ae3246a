//! A subject and the lanes of the threads that work on it, whatever the subject's type.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use crate::lane::Lane;
use crate::meter::{Latencies, NoMeter, StepMeter};
use crate::subject::Subject;
use crate::{Workload, workloads};

/// Something to measure, with its flows. Each thread that works on it has a number, from 0.
pub trait World: Send + Sync {
    /// Inserts the thread's share of the flows that are there at the beginning.
    fn fill(&self, thread: usize);

    /// Prepares the thread's next run.
    fn prepare(&self, run: Run, thread: usize);

    /// Runs the thread's part of a run, which is measured. Panics if the subject returned a wrong result.
    fn run(&self, run: Run, thread: usize);

    /// The same, and records the time of each step in `latencies`. Returns the longest time between two steps that
    /// something took.
    fn run_metered(&self, run: Run, thread: usize, latencies: &mut Latencies) -> Duration;

    /// After a run: checks how many flows there are, and empties what a run fills from empty.
    fn settle(&self, run: Run);
}

/// One measurement, short enough to be repeated many times.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What is done.
    pub workload: Workload,
    /// By how many threads.
    pub threads: usize,
    /// How many operations each of them does. Workloads that [are whole](Workload::is_whole) do one for each flow.
    pub operations: usize,
}

/// The world of one subject.
pub(crate) struct Arena<S> {
    workload: Workload,
    flows: usize,
    subject: RwLock<S>,
    lanes: Vec<Mutex<Lane>>,
}

impl<S: Subject> Arena<S> {
    /// A world without flows, to be filled for `workload` by `threads` threads.
    pub(crate) fn new(workload: Workload, flows: usize, threads: usize) -> Self {
        Self {
            workload,
            flows,
            subject: RwLock::new(S::new(flows, workloads::capacity(workload, flows))),
            lanes: (0..threads).map(|thread| Mutex::new(Lane::new(flows, thread, threads))).collect(),
        }
    }

    fn with<R>(&self, thread: usize, work: impl FnOnce(&S, &mut Lane) -> R) -> R {
        let subject = self.subject.read().unwrap_or_else(PoisonError::into_inner);
        let inside = Inside::enter(&*subject);
        work(inside.0, &mut self.lane(thread))
    }

    fn lane(&self, thread: usize) -> MutexGuard<'_, Lane> {
        self.lanes[thread].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that has entered a subject. It leaves also if it panics, as others may wait for that.
struct Inside<'s, S: Subject>(&'s S);

impl<'s, S: Subject> Inside<'s, S> {
    fn enter(subject: &'s S) -> Self {
        subject.enter();
        Self(subject)
    }
}

impl<S: Subject> Drop for Inside<'_, S> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl<S: Subject> World for Arena<S> {
    fn fill(&self, thread: usize) {
        self.with(thread, |subject, lane| workloads::fill(self.workload, subject, lane));
    }

    fn prepare(&self, run: Run, thread: usize) {
        self.with(thread, |subject, lane| workloads::prepare(run.workload, subject, lane, run.operations));
    }

    fn run(&self, run: Run, thread: usize) {
        self.with(thread, |subject, lane| {
            workloads::run(run.workload, subject, lane, run.operations, &mut NoMeter);
        });
    }

    fn run_metered(&self, run: Run, thread: usize, latencies: &mut Latencies) -> Duration {
        self.with(thread, |subject, lane| {
            let mut meter = StepMeter::new(latencies);
            workloads::run(run.workload, subject, lane, run.operations, &mut meter);
            meter.longest_aside()
        })
    }

    fn settle(&self, run: Run) {
        let mut subject = self.subject.write().unwrap_or_else(PoisonError::into_inner);
        workloads::check(run.workload, &*subject, self.flows, run.threads);
        if run.workload == Workload::Grow {
            *subject = S::new(self.flows, workloads::capacity(run.workload, self.flows));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Key, index};
    use flow_table::{Timeout, Timestamp};

    /// Finds flows with even numbers, and reaps one flow less than is due.
    struct Liar;

    impl Subject for Liar {
        type Scratch = ();

        fn new(_: usize, _: usize) -> Self {
            Self
        }
        fn cannot(_: Workload) -> Option<&'static str> {
            None
        }
        fn insert(&self, _: Key, _: Timeout, _: Timestamp) {}
        fn hit(&self, key: &Key, _: Timestamp) -> bool {
            index(key).is_multiple_of(2)
        }
        fn borrow(&self, keys: &[Key], now: Timestamp) -> usize {
            self.hit_batch(keys, now, &mut ())
        }
        fn find(&self, key: &Key, now: Timestamp) -> bool {
            self.hit(key, now)
        }
        fn expire(&self, _: &[Key], _: Timestamp) -> usize {
            0
        }
        fn reap(&self, _: Timestamp) -> usize {
            7
        }
        fn offer(&self, _: &Key, _: Timeout, _: Timestamp) -> bool {
            false
        }
        fn insert_pair(&self, _: Key, _: Key, _: Timeout, _: Timestamp) {}
        fn visit(&self) -> usize {
            7
        }
        fn held(&self) -> usize {
            7
        }
    }

    #[test]
    fn no_workload_believes_a_liar() {
        for workload in Workload::all() {
            let arena = Arena::<Liar>::new(workload, 8, 1);
            arena.fill(0);
            let run = Run { workload, threads: 1, operations: 64 };
            let work = || {
                arena.prepare(run, 0);
                arena.run(run, 0);
                arena.settle(run);
            };
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            assert!(result.is_err(), "{workload} found nothing wrong");
        }
    }
}
