use std::time::Duration;

use flow_table::{Budget, Flow, FlowKey, FlowTable, NewFlow, OnExpiry, Table, Timestamp, Value};

use crate::packet::Layout;
use crate::side::Side;

/// What the fragments of one packet have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct FragmentKey {
    ends: FlowKey,
    identification: u32,
}

impl FragmentKey {
    fn of(layout: &Layout, side: Side) -> Option<Self> {
        let fragment = layout.fragment?;
        let end = |mut end: std::net::SocketAddr| {
            end.set_port(0);
            end
        };
        // In IPv6 only the first fragment says which protocol it is.
        let protocol = if layout.source.is_ipv4() { layout.protocol } else { 0 };
        let ends = FlowKey::new(end(layout.source), end(layout.destination), protocol).ok()?;
        Some(Self { ends: side.key(ends), identification: fragment.identification })
    }
}

/// Leads later fragments to the flow of the first one. It holds a handle to the flow, which has the direction,
/// too. The table is small, and when it is full no more fragmented packets pass until some are due.
pub(super) struct Fragments<R: Value>(FlowTable<FragmentKey, R>);

impl<R: Value + Clone> Fragments<R> {
    pub(super) fn new(capacity: usize) -> Self {
        Self(FlowTable::new(capacity))
    }

    /// Remembers the flow of a first fragment. Returns `false` if there is no room.
    pub(super) fn remember(
        &self,
        layout: &Layout,
        side: Side,
        flow: R,
        timeout: Duration,
        now: Timestamp,
    ) -> bool {
        let Some(key) = FragmentKey::of(layout, side) else { return false };
        let fragment = NewFlow::new(key, flow).timeout(timeout).on_expiry(OnExpiry::Remove);
        self.0.insert(fragment, now).is_ok()
    }

    /// The flow of a later fragment.
    pub(super) fn find(&self, layout: &Layout, side: Side, now: Timestamp) -> Option<R> {
        let found = self.0.lookup(&FragmentKey::of(layout, side)?, now)?;
        Some(found.value().clone())
    }

    pub(super) fn reap(&self, now: Timestamp, budget: Budget) {
        self.0.reap(now, budget);
    }

    pub(super) fn clear(&self) {
        self.0.retain(|_| false);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn memory(&self) -> usize {
        self.0.memory()
    }

    pub(super) fn set_capacity(&self, capacity: usize) {
        self.0.set_capacity(capacity);
    }
}
