//! What is known of a table at one moment.

use flow_table_api::Stats;

#[derive(Clone, Copy)]
pub(super) struct Observation {
    pub(super) stats: Stats,
    pub(super) capacity: usize,
}
