use anyhow::Result;

use super::ends::Totals;
use crate::keyed::KeyedPacket;
use crate::record::FlowRecord;

/// Receives the flows that have ended.
pub type Sink<'s> = dyn FnMut(FlowRecord) -> Result<()> + 's;

/// Something that packets go through and records come out of.
pub(crate) trait Engine {
    /// Takes the next packet.
    fn packet(&mut self, packet: KeyedPacket, sink: &mut Sink<'_>) -> Result<()>;

    /// Moves the time on to that of a packet at `timestamp`.
    fn advance(&mut self, timestamp: i128);

    /// Handles all packets that wait, and ends the flows that are due at the last one.
    fn flush(&mut self, sink: &mut Sink<'_>) -> Result<()>;

    /// Shows the records so far of the flows that are live. Flows of other threads are left out.
    fn live(&self, visit: &mut dyn FnMut(FlowRecord));

    /// Handles the packets that wait, and then passes the flows that are still live to `sink`.
    fn finish(self, sink: &mut Sink<'_>) -> Result<Totals>;
}
