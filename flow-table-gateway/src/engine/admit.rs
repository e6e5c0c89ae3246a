use flow_table::{Admission, Direction, Flow, FlowKey, FlowSpec, InsertError, KeyHash, OnExpiry, Timestamp};

use crate::conn::{Conn, Phase, Track};
use crate::engine::gateway::Gateway;
use crate::flows::Flows;
use crate::packet::Layout;
use crate::policy::Policy;
use crate::side::Side;
use crate::stats::Refusal;

impl<T: Flows> Gateway<T> {
    /// Begins the flow of a packet that belongs to none, or finds the one that another worker has just begun.
    #[cold]
    pub(super) fn admit(
        &self,
        policy: &Policy,
        layout: &Layout,
        side: Side,
        (key, hash): (FlowKey, KeyHash),
        now: Timestamp,
    ) -> Result<T::Ref, Refusal> {
        let share = self.table.share(&key).ok_or(Refusal::Standby)?;
        let plan = self.plan(policy, share, layout, side, now)?;
        let timeout = Phase::Opening.timeout(layout.protocol, &policy.timeouts);
        let flow = FlowSpec::new(key)
            .reply(plan.reply)
            .hashed(hash)
            .timeout(timeout)
            .on_expiry(OnExpiry::Remove)
            .value(Conn::new(Track::default(), now, plan.parts));
        match self.table.insert_if_absent(flow, now) {
            Ok(Admission::Inserted(flow)) => Ok(flow),
            Ok(Admission::Existing { holder, key: Direction::Forward, .. }) if holder.refresh(now) => Ok(holder),
            // The translation is in use, for example between the same ports of a host that a forward leads to.
            Ok(Admission::Existing { .. }) => Err(Refusal::Conflict),
            Err(InsertError::Full { .. } | InsertError::OutOfMemory { .. }) => Err(Refusal::TableFull),
            Err(_) => Err(Refusal::Conflict),
        }
    }
}
