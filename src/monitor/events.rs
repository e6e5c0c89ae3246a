//! Events of the crate `tracing`.

use flow_table_api::Stats;
use tracing::{info, warn};

use super::observation::Observation;

/// A table below this many bytes has not grown so that anybody wants to know.
const LEAST_BYTES: usize = 1 << 20;
/// Looks at one open burst, after the first, until it counts as stalled.
const PATIENCE: u32 = 2;

/// What was seen before.
pub(super) struct Events {
    table: String,
    last: Stats,
    /// The bytes that the last event was about.
    bytes: usize,
    /// Looks in a row that have seen the same oldest burst.
    same_burst: u32,
}

impl Events {
    pub(super) fn new(name: &str) -> Self {
        Self { table: name.to_owned(), last: Stats::new(), bytes: LEAST_BYTES, same_burst: 0 }
    }

    pub(super) fn emit(&mut self, now: &Observation) {
        let (table, stats) = (self.table.as_str(), &now.stats);
        let refused = stats.refusals.saturating_sub(self.last.refusals);
        if refused > 0 {
            warn!(
                target: "flow_table", table, refused, flows = stats.flows, dying = stats.dying,
                capacity = now.capacity,
                "the table is full: reap it, raise its capacity, or give flows shorter timeouts"
            );
        }
        if stats.bytes / 2 >= self.bytes {
            info!(target: "flow_table", table, bytes = stats.bytes, before = self.bytes, "the table has grown");
            self.bytes = stats.bytes;
        } else if self.bytes > LEAST_BYTES && stats.bytes <= self.bytes / 2 {
            info!(target: "flow_table", table, bytes = stats.bytes, before = self.bytes, "the table has shrunk");
            self.bytes = stats.bytes.max(LEAST_BYTES);
        }
        match stats.oldest_burst {
            Some(burst) if self.last.oldest_burst == Some(burst) => {
                self.same_burst += 1;
                if self.same_burst == PATIENCE {
                    warn!(
                        target: "flow_table", table, opened = %burst, waiting = stats.waiting,
                        "a burst is open for long: look for a worker that is stuck, or has leaked a burst"
                    );
                }
            }
            _ => self.same_burst = 0,
        }
        self.last = *stats;
    }
}
