use std::sync::Arc;

use flow_table::state::{FlowOptions, FlowState};
use flow_table::{OnExpiry, Timeout, Timestamp};

use crate::data::{Key, Payload, index, payload};

/// A counted reference to a record.
pub type Shared = Arc<Record>;

/// A flow without its key: state, deadline, timeout, value.
#[derive(Debug)]
pub struct Record {
    state: FlowState,
    options: FlowOptions,
    _value: Payload,
}

impl Record {
    /// The record of the flow with this key.
    #[inline]
    pub fn shared(key: &Key, timeout: Timeout, now: Timestamp) -> Shared {
        let state = FlowState::new();
        state.activate(now + timeout).expect("a new record is not active");
        let options = FlowOptions::new(timeout, OnExpiry::Remove, 0);
        Arc::new(Self { state, options, _value: payload(index(key)) })
    }

    /// Moves the deadline of a live record.
    #[inline]
    pub fn refresh(&self, now: Timestamp) -> bool {
        self.state.refresh(now, &self.options)
    }

    /// Returns `true` if the deadline has not passed.
    #[inline]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.state.load().is_live(now)
    }
}
