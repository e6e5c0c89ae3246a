use std::sync::Arc;

use flow_table::FlowKey;

use super::end::End;
use super::tally::Tally;
use crate::packet::Tunnel;

/// The record of a flow that ended, or of its part before an active timeout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// Its key.
    pub key: FlowKey,
    /// The sums over both directions.
    pub tally: Tally,
    /// The sums from the source to the destination of the key, and back. A direction without packets has zeros.
    pub directions: [Tally; 2],
    /// Whether the first packet went from the destination of the key to its source.
    pub first_reversed: bool,
    /// Whether who opened the TCP connection is the destination of the key, if its SYN was seen.
    pub syn_reversed: Option<bool>,
    /// The tunnel that the first packet was in.
    pub tunnel: Option<Arc<Tunnel>>,
    /// Why it ended.
    pub end: End,
}
