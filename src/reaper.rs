use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use flow_table_api::{Budget, Clock, Ended, Key, ReapReport, Table, Value};

use crate::background::{Background, Next};

/// The settings of a [`Reaper`].
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

    /// Sets how long the thread sleeps when nothing is due. This limits how late the end of a flow is noticed
    /// without traffic. The default is 100 ms.
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets how many flows one call of [`Table::reap_with`] may visit. While more is due, the next call follows at
    /// once. Stopping waits for at most one call. The default is 1,024 flows. Zero counts as one.
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
/// It holds the table weakly. After the table has been dropped, the thread ends at its next interval. When the
/// `Reaper` is dropped, the thread ends at once, and the drop waits for it. If the last other owner of the table
/// drops it during a call, the thread drops the table.
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
#[derive(Debug)]
pub struct Reaper {
    _thread: Background,
}

impl Reaper {
    /// Starts to reap `table` at the times that `clock` returns, and drops the flows that have ended.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot start a thread.
    pub fn spawn<K, V, T, C>(table: &Arc<T>, clock: C, config: ReaperConfig) -> io::Result<Self>
    where
        K: Key,
        V: Value,
        T: Table<K, V> + 'static,
        C: Clock + Send + 'static,
    {
        Self::spawn_with(table, clock, config, drop)
    }

    /// Works like [`spawn`](Self::spawn), and hands each ended flow to `ended`, like [`Table::reap_with`]
    /// (contract R4).
    ///
    /// `ended` runs on the thread, under no lock, and may use the table. If it panics, the flow given to it is
    /// gone, and the thread continues with the next one (contract V4). Only the panic hook reports the panic. The
    /// same is true if a key or a value panics that the table drops during a call. The flows that are left follow
    /// in the next call.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot start a thread.
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
        let table = Arc::downgrade(table);
        let round = move || {
            let Some(table) = table.upgrade() else { return Next::End };
            let now = clock.now();
            let reap = |ended: &mut dyn FnMut(Ended<T::Ref>)| table.reap_with(now, config.budget, ended);
            // If a callback's panic leaves its own state broken, the next call finds it broken. `spawn_with`
            // documents that.
            let hand_over = |flow| drop(catch_unwind(AssertUnwindSafe(|| ended(flow))));
            if slice(reap, hand_over) { Next::Round } else { Next::Sleep }
        };
        Ok(Self { _thread: Background::spawn("flow-table-reaper", config.interval, round)? })
    }
}

/// Makes one call of `reap`, and catches panics. Returns `true` if the next call should follow at once.
///
/// After a panic this is so only if the call handed something over. A call that panics again and again and hands
/// over nothing must not keep the thread from sleeping.
fn slice<R>(reap: impl FnOnce(&mut dyn FnMut(Ended<R>)) -> ReapReport, mut ended: impl FnMut(Ended<R>)) -> bool {
    let mut came = false;
    let mut hand_over = |flow| {
        came = true;
        ended(flow);
    };
    let report = catch_unwind(AssertUnwindSafe(|| reap(&mut hand_over)));
    report.map_or(came, |report| report.more)
}

#[cfg(test)]
mod tests {
    use std::panic::resume_unwind;

    use super::*;
    use crate::EndReason;

    /// Returns what [`slice`] returns for a reap that hands over `flows` flows and then panics, or reports `more`.
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
