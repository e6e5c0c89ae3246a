//! Timing of single steps. It is compiled away where only the whole is timed.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Latencies in nanoseconds, each to within one percent.
pub type Latencies = Histogram<u64>;

/// An empty histogram. Latencies above a minute are not distinguished.
pub fn latencies() -> Latencies {
    Histogram::new_with_bounds(1, 60_000_000_000, 2).expect("the bounds are in order")
}

/// A workload calls this around each step.
pub trait Meter {
    /// A step begins.
    fn begin(&mut self);
    /// It has ended.
    fn end(&mut self);
    /// Does something between steps that is not one.
    #[inline]
    fn aside(&mut self, work: impl FnOnce()) {
        work();
    }
}

/// Measures nothing.
pub struct NoMeter;

impl Meter for NoMeter {
    #[inline(always)]
    fn begin(&mut self) {}
    #[inline(always)]
    fn end(&mut self) {}
}

/// Records how long each step takes, one reading of the clock included.
pub struct StepMeter<'l> {
    latencies: &'l mut Latencies,
    begun: Instant,
    longest_aside: Duration,
}

impl<'l> StepMeter<'l> {
    /// Records into `latencies`.
    pub fn new(latencies: &'l mut Latencies) -> Self {
        Self { latencies, begun: Instant::now(), longest_aside: Duration::ZERO }
    }

    /// The longest time that something between steps has taken.
    pub fn longest_aside(&self) -> Duration {
        self.longest_aside
    }
}

impl Meter for StepMeter<'_> {
    #[inline]
    fn begin(&mut self) {
        self.begun = Instant::now();
    }

    #[inline]
    fn end(&mut self) {
        let nanos = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(nanos);
    }

    #[inline]
    fn aside(&mut self, work: impl FnOnce()) {
        let begun = Instant::now();
        work();
        self.longest_aside = self.longest_aside.max(begun.elapsed());
    }
}
