//! A subject and the lanes of the threads that work on it, whatever the subject's type.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use crate::lane::Lane;
use crate::meter::{Latencies, NoMeter, StepMeter};
use crate::subject::Subject;
use crate::{Workload, workloads};

/// Something to measure, with its flows. Each thread that works on it has a number, from 0.
pub trait World: Send + Sync {
    /// Inserts the thread's share of the flows that are there at the beginning.
    fn fill(&self, thread: usize);

    /// Makes what the thread's next run needs.
    fn prepare(&self, run: Run, thread: usize);

    /// What is measured: the thread's part of a run. Panics if the subject gave a wrong result.
    fn run(&self, run: Run, thread: usize);

    /// The same, with the time of each step put into `latencies`.
    fn run_metered(&self, run: Run, thread: usize, latencies: &mut Latencies);

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
            subject: RwLock::new(S::new(workloads::capacity(workload, flows))),
            lanes: (0..threads).map(|thread| Mutex::new(Lane::new(flows, thread, threads))).collect(),
        }
    }

    fn with<R>(&self, thread: usize, work: impl FnOnce(&S, &mut Lane) -> R) -> R {
        let subject = self.subject.read().unwrap_or_else(PoisonError::into_inner);
        work(&subject, &mut self.lane(thread))
    }

    fn lane(&self, thread: usize) -> MutexGuard<'_, Lane> {
        self.lanes[thread].lock().unwrap_or_else(PoisonError::into_inner)
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

    fn run_metered(&self, run: Run, thread: usize, latencies: &mut Latencies) {
        self.with(thread, |subject, lane| {
            workloads::run(run.workload, subject, lane, run.operations, &mut StepMeter::new(latencies));
        });
    }

    fn settle(&self, run: Run) {
        let mut subject = self.subject.write().unwrap_or_else(PoisonError::into_inner);
        workloads::check(run.workload, &*subject, self.flows, run.threads);
        if run.workload == Workload::Grow {
            *subject = S::new(workloads::capacity(run.workload, self.flows));
        }
    }
}
