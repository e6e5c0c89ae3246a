use std::sync::Arc;

use flow_table::{Clock, MonotonicClock};
use flow_table_replicate::codec::{Malformed, ValueCodec};

use crate::conn::Conn;
use crate::failover::form::ConnForm;
use crate::resources::Resources;

/// Writes the values of flows for a standby, and reads them there, which takes what they hold.
pub struct Conns {
    pub(super) resources: Arc<Resources>,
    pub(super) clock: Arc<dyn Clock + Send + Sync>,
}

impl Default for Conns {
    /// With resources of its own and no outside ports. [`Table::with_config`](flow_table::Table::with_config) asks
    /// for this; gateways do not use it.
    fn default() -> Self {
        Self { resources: Arc::new(Resources::without_nat()), clock: Arc::new(MonotonicClock::new()) }
    }
}

impl ValueCodec<Conn> for Conns {
    fn encode_value(&self, conn: &Conn, bytes: &mut Vec<u8>) {
        let start = std::mem::take(bytes);
        let length = start.len();
        match postcard::to_extend(&ConnForm::of(conn), start) {
            Ok(all) => *bytes = all,
            // There is no such value: all of its fields can be written.
            Err(_) => bytes.resize(length, 0),
        }
    }

    fn decode_value(&self, bytes: &[u8]) -> Result<Conn, Malformed> {
        let (form, rest) = postcard::take_from_bytes::<ConnForm>(bytes).map_err(|_| Malformed)?;
        let form = if rest.is_empty() { form } else { return Err(Malformed) };
        form.adopt(&self.resources, self.clock.now()).ok_or(Malformed)
    }
}
