use flow_table::{Direction, Flow, Timestamp};

use crate::engine::gateway::Gateway;
use crate::flows::Flows;
use crate::packet::{Inner, Layout, Packet, translate_error};
use crate::side::Side;
use crate::stats::Refusal;

impl<T: Flows> Gateway<T> {
    /// Sends an ICMP error on to the end of the flow that caused it. `direction` is that of the packets that go
    /// the same way. An error neither refreshes nor ends a flow (RFC 5508, REQ-5).
    pub(super) fn forward_error(
        &self,
        packet: &mut Packet,
        layout: &Layout,
        inner: &Inner,
        flow: &T::Flow,
        direction: Direction,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let other = match direction {
            Direction::Forward => Direction::Reply,
            Direction::Reply => Direction::Forward,
        };
        let (Some(own), Some(other)) = (flow.key_for(direction), flow.key_for(other)) else {
            return Err(Refusal::NoFlow);
        };
        if !flow.is_live(now) {
            return Err(Refusal::NoFlow);
        }
        if layout.destination.ip() != own.destination().ip() {
            return Err(Refusal::BadError);
        }
        let (end, translated) = (own.source().ip(), other.destination().ip());
        let reporter = layout.source.ip();
        // The outside does not see which router of the inside reports (RFC 5508, REQ-4).
        let hides = Side::of(own) == Side::Inside && end != translated;
        let source = if reporter == end || hides { translated } else { reporter };
        let ends = (source, other.source().ip());
        translate_error(packet, layout, inner, ends, (other.source(), other.destination()))
            .map_err(|_| Refusal::BadError)?;
        packet.to = Some(Side::of(other));
        Ok(())
    }
}
