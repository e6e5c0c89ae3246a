//! Threads that stay from one measurement to the next, like a dataplane's workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

type Task = Box<dyn FnOnce() + Send>;

/// Some workers of a crew: `threads` of them, from number `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Team {
    /// The first one's number.
    pub first: usize,
    /// How many.
    pub threads: usize,
}

/// Worker threads, numbered from 0. They end when it is dropped.
#[derive(Debug)]
pub struct Crew {
    workers: Vec<Sender<Task>>,
}

impl Crew {
    /// `threads` workers.
    pub fn new(threads: usize) -> Self {
        let hire = |_| {
            let (sender, tasks) = channel::<Task>();
            thread::spawn(move || tasks.into_iter().for_each(|task| task()));
            sender
        };
        Self { workers: (0..threads).map(hire).collect() }
    }

    /// How many workers there are.
    pub fn len(&self) -> usize {
        self.workers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// Runs `task` on the workers of `team`, each with its number in it, and waits for all.
    ///
    /// # Panics
    ///
    /// Panics if one of them does, or if there are not that many.
    pub fn each<R: Send + 'static>(
        &self,
        team: Team,
        task: impl Fn(usize) -> R + Clone + Send + 'static,
    ) -> Vec<R> {
        let (sender, results) = channel();
        for (thread, worker) in self.workers[team.first..][..team.threads].iter().enumerate() {
            let (task, sender) = (task.clone(), sender.clone());
            let task = move || {
                let result = task(thread);
                // The receiver stays until all have sent or died.
                let _ = sender.send(result);
            };
            worker.send(Box::new(task)).expect("the worker has not panicked before");
        }
        drop(sender);
        let results: Vec<R> = results.into_iter().collect();
        assert_eq!(results.len(), team.threads, "a worker panicked");
        results
    }

    /// Runs `task` on the workers of `team` at the same time. Returns the time from the first one's start to the
    /// last one's end, and the results of the tasks.
    ///
    /// # Panics
    ///
    /// The same as for [`each`](Self::each).
    pub fn timed<R: Send + 'static>(
        &self,
        team: Team,
        task: impl Fn(usize) -> R + Clone + Send + 'static,
    ) -> (Duration, Vec<R>) {
        let line = Arc::new(StartLine { awaited: AtomicUsize::new(team.threads) });
        let runs = self.each(team, move |thread| {
            line.wait();
            let start = Instant::now();
            let result = task(thread);
            (start, Instant::now(), result)
        });
        let start = runs.iter().map(|(start, ..)| *start).min();
        let end = runs.iter().map(|(_, end, _)| *end).max();
        let elapsed = start.zip(end).map_or(Duration::ZERO, |(start, end)| end - start);
        (elapsed, runs.into_iter().map(|(.., result)| result).collect())
    }
}

/// All workers wait here for the last one. They spin, because waking up takes too long.
struct StartLine {
    awaited: AtomicUsize,
}

impl StartLine {
    fn wait(&self) {
        // AcqRel: pairs with itself and the Acquire load below; everything before the start happens before any of
        // it.
        self.awaited.fetch_sub(1, Ordering::AcqRel);
        while self.awaited.load(Ordering::Acquire) != 0 {
            thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_workers_take_part() {
        let crew = Crew::new(3);
        let mut threads = crew.each(Team { first: 0, threads: 3 }, |thread| thread);
        threads.sort_unstable();
        assert_eq!(threads, [0, 1, 2]);
        assert_eq!(crew.timed(Team { first: 1, threads: 2 }, |thread| thread).1.len(), 2);
        let worker = || crew.each(Team { first: 2, threads: 1 }, |_| thread::current().id());
        assert_eq!(worker(), worker());
    }

    #[test]
    #[should_panic(expected = "a worker panicked")]
    fn a_panic_is_not_lost() {
        Crew::new(2).timed(Team { first: 0, threads: 2 }, |thread| assert_ne!(thread, 1));
    }
}
