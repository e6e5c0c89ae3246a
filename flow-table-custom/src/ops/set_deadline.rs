use std::time::Duration;

use flow_table_api::{Flow, Key, SetDeadlineError, Status, Timestamp, Value};

use crate::core::Core;
use crate::handle::StrongRef;

impl<K: Key, V: Value> Core<K, V> {
    pub(crate) fn set_deadline(
        &self,
        flow: &StrongRef<K, V>,
        deadline: Timestamp,
    ) -> Result<(), SetDeadlineError> {
        self.refile(flow, |flow| flow.entry().state().set_deadline(deadline).map_err(SetDeadlineError::NotLive))
    }

    pub(crate) fn set_timeout(
        &self,
        flow: &StrongRef<K, V>,
        timeout: Duration,
        now: Timestamp,
    ) -> Result<(), SetDeadlineError> {
        self.refile(flow, |flow| {
            let (state, options) = (flow.entry().state(), flow.entry().options());
            state.set_timeout(timeout.into(), now, options).map_err(|word| SetDeadlineError::NotLive(word.status))
        })
    }

    /// Changes the deadline, and files the flow again if the new deadline is earlier. A later one is noticed
    /// when the old one comes due. If `change` fails, the flow stays filed as it was.
    fn refile(
        &self,
        flow: &StrongRef<K, V>,
        change: impl FnOnce(&StrongRef<K, V>) -> Result<Timestamp, SetDeadlineError>,
    ) -> Result<(), SetDeadlineError> {
        let at = flow.at();
        let mut shard = self.shards.lock(at.shard());
        let before = change(flow)?;
        let word = Flow::state(&**flow).load();
        if word.status == Status::Active && word.deadline < before {
            shard.disarm(at);
            shard.rearm(at, word.deadline);
            self.shards.due.lower(at.shard(), word.deadline);
        }
        Ok(())
    }
}
