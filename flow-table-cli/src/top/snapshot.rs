use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::record::FlowRecord;

/// The state of the table at one moment.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) source: String,
    pub(super) taken: Instant,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// Frames that the kernel dropped.
    pub(super) dropped: u64,
    /// Live flows.
    pub(super) live: usize,
    /// Flows that have ended.
    pub(super) ended: u64,
    /// The largest of the live flows.
    pub(super) flows: Vec<FlowRecord>,
}

/// Passes snapshots from one thread to the other.
#[derive(Default)]
pub(super) struct Shared(Mutex<Latest>);

/// The last snapshot, and whether there will be another.
#[derive(Clone, Default)]
pub(super) struct Latest {
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) is_over: bool,
    pub(super) error: Option<String>,
}

impl Shared {
    pub(super) fn put(&self, snapshot: Snapshot) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).snapshot = Some(Arc::new(snapshot));
    }

    pub(super) fn end(&self, error: Option<String>) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest.is_over = true;
        latest.error = error;
    }

    pub(super) fn latest(&self) -> Latest {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
