use flow_table::{FlowKey, FlowTable, Table, Timestamp};

use crate::conn::Conn;

/// A table of the gateway's flows, and what has to be told to whoever follows it.
pub trait Flows: Table<FlowKey, Conn, Ref: 'static> {
    /// The state of a flow has changed, and its timeout with it.
    fn changed(&self, flow: &Self::Ref, now: Timestamp);
}

impl Flows for FlowTable<FlowKey, Conn> {
    #[inline]
    fn changed(&self, _: &Self::Ref, _: Timestamp) {}
}
