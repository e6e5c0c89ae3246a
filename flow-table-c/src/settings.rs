//! How a table is made.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use flow_table::{OnExpiry, TableConfig};

use crate::value::{Context, Destructor, Owner};

/// What a table is to be. Set what you need, and leave the rest zero.
#[repr(C)]
pub struct Config {
    /// Bytes of each key: 4 to 64. All bytes are compared, so padding in a struct must be zero.
    pub key_length: usize,
    /// Bytes of each value: 0 to 512. Values are aligned to 16.
    pub value_size: usize,
    /// Flows that may have a place in the table at most.
    pub capacity: usize,
    /// What ends a value, or null.
    pub destructor: Destructor,
    /// Passed to the destructor. Any thread may pass it.
    pub context: *mut c_void,
    /// Parts that are locked independently; zero for the default, which depends on the processors.
    pub shards: usize,
    /// By how many nanoseconds a busy flow may outlive its timeout, so that it is not written for each packet.
    pub refresh_slack: u64,
    /// If true, look-ups do not find a flow that has expired. Else they find it, with that status, while somebody
    /// holds it.
    pub remove_on_expiry: bool,
    /// Flows with one key whose memory is made ready, and kept, when the table is made. Up to so many, an
    /// insertion neither calls the system for the table's memory nor waits for a page.
    pub prefault: usize,
    /// Flows with two keys, besides, whose memory is made ready.
    pub prefault_pairs: usize,
}

/// What a table knows of its configuration.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) key_length: usize,
    pub(crate) value_size: usize,
    pub(crate) owner: Option<Arc<Owner>>,
    pub(crate) on_expiry: OnExpiry,
    capacity: usize,
    shards: usize,
    refresh_slack: Duration,
    prefault: [usize; 2],
}

impl Settings {
    pub(crate) fn config(&self) -> TableConfig {
        let [singles, pairs] = self.prefault;
        let config = TableConfig::new(self.capacity)
            .refresh_slack(self.refresh_slack)
            .prefault(singles)
            .prefault_pairs(pairs);
        if self.shards == 0 { config } else { config.shards(self.shards) }
    }
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let owner = |destructor| Arc::new(Owner { destructor, context: Context(config.context) });
        Self {
            key_length: config.key_length,
            value_size: config.value_size,
            owner: config.destructor.map(owner),
            on_expiry: if config.remove_on_expiry { OnExpiry::Remove } else { OnExpiry::KeepWhileReferenced },
            capacity: config.capacity,
            shards: config.shards,
            refresh_slack: Duration::from_nanos(config.refresh_slack),
            prefault: [config.prefault, config.prefault_pairs],
        }
    }
}
