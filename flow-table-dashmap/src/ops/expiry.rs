use std::time::Duration;

use flow_table_api::{SetDeadlineError, Timestamp};

use crate::core::Core;
use crate::flow::handle::FlowHandle;
use crate::flow::record::Record;

impl<K, V> Core<K, V> {
    pub(crate) fn set_deadline(
        &self,
        flow: &FlowHandle<K, V>,
        deadline: Timestamp,
    ) -> Result<(), SetDeadlineError> {
        let record = self.own(flow)?;
        let old = record.state.set_deadline(deadline).map_err(SetDeadlineError::NotLive)?;
        if deadline < old {
            self.advance(record);
        }
        Ok(())
    }

    pub(crate) fn set_timeout(
        &self,
        flow: &FlowHandle<K, V>,
        timeout: Duration,
        now: Timestamp,
    ) -> Result<(), SetDeadlineError> {
        let record = self.own(flow)?;
        let timeout = timeout.into();
        let old = record.state.set_timeout(timeout, now, &record.options);
        if now + timeout < old.map_err(|ended| SetDeadlineError::NotLive(ended.status))? {
            self.advance(record);
        }
        Ok(())
    }

    /// Files the flow earlier after its deadline has been (contract D4).
    ///
    /// Its id is read after the change of the deadline: if it has been reinserted since, it is filed under the
    /// deadline that it has now, or nothing is found under the id.
    fn advance(&self, record: &Record<K, V>) {
        if let Some(id) = record.id() {
            self.queues.of(record).lock().advance(id);
        }
    }
}
