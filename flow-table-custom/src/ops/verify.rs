//! For tests: checks the invariants that look-ups rely on.

use flow_table_api::{Direction, Status};

use crate::core::Core;
use crate::flows::FlowAt;
use crate::index::Slot;

impl<K, V> Core<K, V> {
    /// Checks that the slots of each segment can be found and are counted right, and that no active flow is
    /// without its slots. Returns what is wrong otherwise. It locks one shard at a time, so other threads may
    /// continue.
    pub(crate) fn verify(&self) -> Result<(), String> {
        for shard in 0..self.shards.len() {
            let mut guard = self.shards.lock(shard);
            guard.verify()?;
            for pair in [false, true] {
                for page in guard.pages(pair) {
                    guard.entries_of(page, pair).try_for_each(|flow| self.verify_entry(flow))?;
                }
            }
        }
        Ok(())
    }

    /// Checks a flow of a locked shard by its forward key. The shard of the other key may not be locked.
    fn verify_entry(&self, flow: FlowAt<K, V>) -> Result<(), String> {
        let active = flow.entry().is_held() && flow.entry().state().load().status == Status::Active;
        let hash = flow.hash(Direction::Forward);
        let is_slot = |slot: Slot| (slot.entry() == flow.index()).then_some(());
        if active && self.shards.index.segment(hash).find(hash, is_slot).is_none() {
            return Err(format!("{:?} is active and cannot be found", flow.index()));
        }
        Ok(())
    }
}
