//! What a table does, for monitoring systems and logs.

#[cfg(feature = "tracing")]
mod events;
#[cfg(feature = "metrics")]
mod instruments;
mod observation;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use flow_table_api::{Key, Table, Value};

use self::observation::Observation;
use crate::background::{Background, Next};

/// Watches a table. It reads [`Table::stats`] from time to time and passes on what it finds; packets pay nothing.
///
/// * With the feature `metrics` it sets counters and gauges of the crate `metrics`, each with the label `table`:
///
///   | metric | |
///   |---|---|
///   | `flow_table_flows` | flows that have a place in the table |
///   | `flow_table_capacity_flows` | flows that may have one |
///   | `flow_table_inserts_total` | flows that became active |
///   | `flow_table_refusals_total` | insertions refused because the table was full |
///   | `flow_table_ended_total` | flows that have ended, by the label `reason` |
///   | `flow_table_dying_flows` | flows that made room and wait for a reap |
///   | `flow_table_waiting_flows` | ended flows that wait for open bursts |
///   | `flow_table_shards` | parts that are locked independently |
///   | `flow_table_memory_bytes` | memory that the table occupies |
///
/// * With the feature `tracing` it emits events: a warning if insertions were refused since the last look, or if a
///   burst is open for too long; information if the table's memory has doubled or halved. The target is
///   `flow_table`.
///
/// `docs/grafana.json` of the sources is a dashboard for these metrics.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use flow_table::{FlowTable, Monitor, Table};
///
/// let table = Arc::new(FlowTable::<u32, ()>::new(1_000));
/// let monitor = Monitor::new("nat").spawn(&table, Duration::from_secs(5))?;
/// // … packets …
/// drop(monitor);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Monitor {
    #[cfg(feature = "metrics")]
    instruments: instruments::Instruments,
    #[cfg(feature = "tracing")]
    events: events::Events,
}

impl Monitor {
    /// A monitor of a table that is called `name` in metrics and events. With the feature `metrics`, this
    /// registers the metrics with the recorder of the process: install that first.
    pub fn new(name: &str) -> Self {
        Self {
            #[cfg(feature = "metrics")]
            instruments: instruments::Instruments::register(name),
            #[cfg(feature = "tracing")]
            events: events::Events::new(name),
        }
    }

    /// Looks at the table now: for programs that have a place for it. Others let a thread do it
    /// ([`spawn`](Self::spawn)).
    ///
    /// # Complexity
    ///
    /// That of [`Table::stats`]. It takes no lock of the table for longer.
    pub fn observe<K: Key, V: Value, T: Table<K, V>>(&mut self, table: &T) {
        let now = Observation { stats: table.stats(), capacity: table.capacity() };
        #[cfg(feature = "metrics")]
        self.instruments.set(&now);
        #[cfg(feature = "tracing")]
        self.events.emit(&now);
    }

    /// Starts a thread that looks at the table every `interval`. It holds the table weakly, and ends at the next
    /// interval after the table is gone.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot start a thread.
    pub fn spawn<K, V, T>(mut self, table: &Arc<T>, interval: Duration) -> io::Result<MonitorThread>
    where
        K: Key,
        V: Value,
        T: Table<K, V> + 'static,
    {
        let table = Arc::downgrade(table);
        let round = move || {
            let Some(table) = table.upgrade() else { return Next::End };
            self.observe(&*table);
            Next::Sleep
        };
        Ok(MonitorThread { _thread: Background::spawn("flow-table-monitor", interval, round)? })
    }
}

/// The thread of a [`Monitor`]. When this is dropped, the thread ends at once, and the drop waits for it.
#[must_use = "dropping it stops the thread"]
#[derive(Debug)]
pub struct MonitorThread {
    _thread: Background,
}
