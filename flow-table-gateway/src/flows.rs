use flow_table::{FlowKey, FlowTable, Table, Timestamp};

use crate::conn::Conn;
use crate::nat::Share;

/// A table of the gateway's flows, and what has to be told to whoever follows it.
pub trait Flows: Table<FlowKey, Conn, Ref: 'static> {
    /// The state of a flow has changed, and its timeout with it.
    fn changed(&self, flow: &Self::Ref, now: Timestamp);

    /// The outside ports from which a new flow under this key may take one. `None` if another gateway owns its
    /// shard, so that it must not begin here.
    fn share(&self, key: &FlowKey) -> Option<Share<'_>>;
}

impl Flows for FlowTable<FlowKey, Conn> {
    #[inline]
    fn changed(&self, _: &Self::Ref, _: Timestamp) {}

    #[inline]
    fn share(&self, _: &FlowKey) -> Option<Share<'_>> {
        Some(Share::All)
    }
}
