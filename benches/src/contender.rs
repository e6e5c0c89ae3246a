//! A candidate with its table, and how it is run.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::meter::{Latencies, latencies};
use crate::{Candidate, Crew, Run, Team, Workload, World};

/// The smallest number of flows for all workloads. Smaller tables are not enough for a burst.
pub const FEWEST_FLOWS: usize = 256;

/// The fewest and the most operations of a thread in one run. The keys of a run are made before it and must not
/// push the table out of the processor's caches, so a turn may consist of many runs.
const OPERATIONS: (usize, usize) = (1 << 10, 1 << 17);

/// This many steps show what one in ten thousand takes. They are timed for some turns at most.
const STEPS: u64 = 50_000;
const LATENCY_TURNS: u32 = 4;

/// A table of up to this many flows may stay in the processor's caches during a turn, if other candidates' turns
/// have not pushed it out.
const CACHED: usize = 1 << 17;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// What is done.
    pub workload: Workload,
    /// By how many threads.
    pub threads: usize,
    /// In a table of how many flows: at least [`FEWEST_FLOWS`].
    pub flows: usize,
}

/// A candidate, ready to be measured.
#[derive(Clone)]
pub struct Contender {
    /// Which one.
    pub candidate: Candidate,
    world: Arc<dyn World>,
    /// The number of the first worker that filled the table. The same ones work on it, as flows may be theirs.
    first: usize,
}

impl Contender {
    /// A candidate with its table, filled by as many workers of `crew` as `setting` says, from number `first` on.
    pub fn new(candidate: Candidate, setting: Setting, first: usize, crew: &Crew) -> Self {
        let Setting { workload, threads, flows } = setting;
        let world = candidate.world(workload, flows, threads);
        let filled = Arc::clone(&world);
        crew.each(Team { first, threads }, move |thread| filled.fill(thread));
        Self { candidate, world, first }
    }

    /// Contenders with their tables, as many filled at a time as there are workers.
    pub fn all(candidates: &[Candidate], setting: Setting, crew: &Crew) -> Vec<Self> {
        let mut contenders = Vec::with_capacity(candidates.len());
        for candidates in candidates.chunks((crew.len() / setting.threads).max(1)) {
            thread::scope(|scope| {
                let fill = |(place, candidate): (usize, &Candidate)| {
                    let (candidate, first) = (*candidate, place * setting.threads);
                    scope.spawn(move || Self::new(candidate, setting, first, crew))
                };
                let filling: Vec<_> = candidates.iter().enumerate().map(fill).collect();
                contenders.extend(filling.into_iter().map(|filling| filling.join().expect("it can be filled")));
            });
        }
        contenders
    }

    /// Drops them all at the same time, because large tables take long.
    pub fn drop_all(contenders: Vec<Self>) {
        thread::scope(|scope| {
            contenders.into_iter().for_each(|contender| {
                scope.spawn(move || drop(contender));
            })
        });
    }

    fn team(&self, run: Run) -> Team {
        Team { first: self.first, threads: run.threads }
    }

    /// The time that one run takes.
    pub fn run(&self, crew: &Crew, run: Run) -> Duration {
        self.prepare(crew, run);
        let world = Arc::clone(&self.world);
        let (elapsed, _) = crew.timed(self.team(run), move |thread| world.run(run, thread));
        self.world.settle(run);
        elapsed
    }

    /// How long each step of one run takes.
    fn run_metered(&self, crew: &Crew, run: Run) -> (Duration, Latencies) {
        self.prepare(crew, run);
        let world = Arc::clone(&self.world);
        let (elapsed, recorded) = crew.timed(self.team(run), move |thread| {
            let mut latencies = latencies();
            world.run_metered(run, thread, &mut latencies);
            latencies
        });
        self.world.settle(run);
        let all = recorded.into_iter().fold(latencies(), |mut all, one| {
            all += one;
            all
        });
        (elapsed, all)
    }

    /// How long the steps of many runs take.
    pub(crate) fn latencies(&self, crew: &Crew, run: Run, flows: usize, turn: Duration) -> Latencies {
        self.warm_up(crew, run, flows);
        let (mut elapsed, mut all) = (Duration::ZERO, latencies());
        while all.is_empty() || (all.len() < STEPS && elapsed < turn * LATENCY_TURNS) {
            let (time, recorded) = self.run_metered(crew, run);
            elapsed += time;
            all += recorded;
        }
        all
    }

    fn prepare(&self, crew: &Crew, run: Run) {
        let world = Arc::clone(&self.world);
        crew.each(self.team(run), move |thread| world.prepare(run, thread));
    }

    /// Finds a run that takes no longer than a turn should, if possible. Runs a few, so caches are warm
    /// afterwards.
    pub(crate) fn calibrate(&self, crew: &Crew, setting: Setting, turn: Duration) -> Run {
        let Setting { workload, threads, flows } = setting;
        let (fewest, most) = OPERATIONS;
        if workload.is_whole() {
            return Run { workload, threads, operations: flows };
        }
        let mut run = Run { workload, threads, operations: fewest };
        self.run(crew, run);
        while run.operations < most && self.run(crew, run) < turn / 2 {
            run.operations *= 2;
        }
        run
    }

    /// Fills the caches, if the table may stay in them.
    fn warm_up(&self, crew: &Crew, run: Run, flows: usize) {
        if !run.workload.is_whole() && flows <= CACHED {
            self.run(crew, Run { operations: flows.div_ceil(run.threads), ..run });
        }
    }

    /// Nanoseconds per operation of all threads together, and how many operations those were.
    pub(crate) fn turn(&self, crew: &Crew, run: Run, flows: usize, turn: Duration) -> (f64, u64) {
        self.warm_up(crew, run, flows);
        let (mut elapsed, mut operations) = (Duration::ZERO, 0);
        while operations == 0 || (elapsed < turn && !run.workload.is_whole()) {
            elapsed += self.run(crew, run);
            operations += (run.operations * run.threads) as u64;
        }
        (elapsed.as_secs_f64() * 1e9 / operations as f64, operations)
    }
}
