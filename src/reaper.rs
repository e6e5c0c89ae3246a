use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

use flow_table_api::{Budget, Clock, Ended, Key, ReapReport, Table, Value};

/// How a [`Reaper`] works.
///
/// ```
/// # use flow_table::{Budget, ReaperConfig};
/// # use std::time::Duration;
/// let config = ReaperConfig::new().interval(Duration::from_millis(20)).budget(Budget::flows(256));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaperConfig {
    interval: Duration,
    budget: Budget,
}

impl ReaperConfig {
    /// The defaults.
    pub const fn new() -> Self {
        Self { interval: Duration::from_millis(100), budget: Budget::flows(1024) }
    }

    /// How long the thread sleeps once nothing is due: how late, at most, a flow's end is noticed without traffic.
    /// 100 ms by default.
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How many flows one call of [`Table::reap_with`] may visit; while more is due, the next call follows at
    /// once. Stopping waits for at most one call. 1,024 flows by default; zero is taken as one.
    pub const fn budget(mut self, budget: Budget) -> Self {
        self.budget = if budget.get() == 0 { Budget::flows(1) } else { budget };
        self
    }
}

impl Default for ReaperConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// A background thread that reaps a table, for programs that do not reap between bursts (contract R5).
///
/// It holds the table weakly. When the table is gone, the thread ends at its next interval; when the `Reaper` is
/// dropped, it ends at once, and the drop waits for it. A table whose last other owner lets go during a call is
/// dropped by the thread.
///
/// ```
/// use flow_table::{FlowTable, MonotonicClock, Reaper, ReaperConfig, Table};
/// use std::sync::Arc;
///
/// let table = Arc::new(FlowTable::<u32, ()>::new(1_000));
/// let clock = Arc::new(MonotonicClock::new()); // the clock that gives every other `now` of this table, too
/// let reaper = Reaper::spawn(&table, Arc::clone(&clock), ReaperConfig::new())?;
/// // … packets …
/// drop(reaper);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropping it stops the thread"]
pub struct Reaper {
    // Nothing is ever sent: dropping the sender is the request to stop.
    stop: Option<Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Reaper {
    /// Starts to reap `table` at the times that `clock` shows, and drops what ends.
    ///
    /// # Errors
    ///
    /// If the system starts no thread.
    pub fn spawn<K, V, T, C>(table: &Arc<T>, clock: C, config: ReaperConfig) -> io::Result<Self>
    where
        K: Key,
        V: Value,
        T: Table<K, V> + 'static,
        C: Clock + Send + 'static,
    {
        Self::spawn_with(table, clock, config, drop)
    }

    /// [`spawn`](Self::spawn) that hands each ended flow to `ended`, still readable, as
    /// [`Table::reap_with`] does (contract R4).
    ///
    /// `ended` runs on the thread, under no lock, and may use the table. If it panics, the flow given to it is
    /// gone and the thread goes on with the next (contract V4); the panic is reported by the panic hook alone. So
    /// is one of a key or a value that the table drops during a call: what is left follows in the next call.
    ///
    /// # Errors
    ///
    /// If the system starts no thread.
    pub fn spawn_with<K, V, T, C>(
        table: &Arc<T>,
        clock: C,
        config: ReaperConfig,
        mut ended: impl FnMut(Ended<T::Ref>) + Send + 'static,
    ) -> io::Result<Self>
    where
        K: Key,
        V: Value,
        T: Table<K, V> + 'static,
        C: Clock + Send + 'static,
    {
        let (stop, stopped) = channel();
        let table = Arc::downgrade(table);
        let thread = thread::Builder::new().name("flow-table-reaper".to_owned()).spawn(move || {
            run(&table, &clock, config, &stopped, |flow| {
                // A callback that lets state of its own break by panicking meets it broken: `spawn_with` says so.
                let _ = catch_unwind(AssertUnwindSafe(|| ended(flow)));
            });
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

fn run<K: Key, V: Value, T: Table<K, V>>(
    table: &Weak<T>,
    clock: &impl Clock,
    config: ReaperConfig,
    stopped: &Receiver<Infallible>,
    mut ended: impl FnMut(Ended<T::Ref>),
) {
    loop {
        let Some(table) = table.upgrade() else { return };
        let now = clock.now();
        let more = slice(|ended| table.reap_with(now, config.budget, ended), &mut ended);
        drop(table);
        let running = if more {
            stopped.try_recv() == Err(TryRecvError::Empty)
        } else {
            stopped.recv_timeout(config.interval) == Err(RecvTimeoutError::Timeout)
        };
        if !running {
            return;
        }
    }
}

/// One call of `reap`, whatever panics in it; whether the next is to follow at once.
///
/// After a panic it is if this one handed something over: a call that panics again and again, and comes to
/// nothing, must not keep the thread from sleeping.
fn slice<R>(reap: impl FnOnce(&mut dyn FnMut(Ended<R>)) -> ReapReport, mut ended: impl FnMut(Ended<R>)) -> bool {
    let mut came = false;
    let mut hand_over = |flow| {
        came = true;
        ended(flow);
    };
    let report = catch_unwind(AssertUnwindSafe(|| reap(&mut hand_over)));
    report.map_or(came, |report| report.more)
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // The thread itself drops its `Reaper` when a callback or a flow's value owned it: it ends on its own
            // then.
            if thread.thread().id() != thread::current().id() {
                // An error is a panic of the clock, or of a value dropped with the table: reported already.
                let _ = thread.join();
            }
        }
    }
}

impl fmt::Debug for Reaper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reaper").field("thread", &self.thread).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::resume_unwind;

    use super::*;
    use crate::EndReason;

    /// What follows a reap that hands over `flows` flows and then panics, or says `more`.
    fn follows(flows: usize, panics: bool, more: bool) -> bool {
        let mut handed_over = 0;
        let reap = |ended: &mut dyn FnMut(_)| {
            (0..flows).for_each(|flow| ended(Ended { flow, reason: EndReason::Expired }));
            if panics {
                resume_unwind(Box::new("not shown: no panic hook runs"));
            }
            ReapReport { more, ..ReapReport::default() }
        };
        let follows = slice(reap, |_| handed_over += 1);
        assert_eq!(handed_over, flows);
        follows
    }

    #[test]
    fn v4_a_panic_of_the_reap_does_not_end_it() {
        assert!(follows(1, true, false), "what is left follows at once");
        assert!(!follows(0, true, false), "and not again and again if nothing comes");
    }

    #[test]
    fn the_next_call_follows_at_once_while_more_is_due() {
        assert!(follows(0, false, true));
        assert!(!follows(1, false, false));
    }
}
