//! `prepare`: makes a flow that is not in the table yet.

use flow_table_api::{Key, NewFlow, Value};

use super::insert::{Refusal, Refused};
use crate::core::Core;
use crate::handle::StrongRef;
use crate::hash::KeyHashes;

impl<K: Key, V: Value> Core<K, V> {
    /// Makes the flow. A reinsertion puts it into the table: it is detached, has no slots and is filed nowhere, as
    /// a removed flow.
    pub(crate) fn prepare_flow(
        &self,
        flow: NewFlow<K, V>,
        hashes: KeyHashes,
    ) -> Result<StrongRef<K, V>, Refused<K, V>> {
        if flow.reply_key() == Some(flow.key()) {
            return Err((flow, Refusal::IdenticalKeys));
        }
        let mut shard = self.shards.lock(self.shards.index.shard_of(hashes.forward));
        let Ok(vacant) = shard.alloc(hashes.reply.is_some(), self.address()) else {
            return Err((flow, Refusal::OutOfMemory));
        };
        let (new, _) = shard.write(vacant, flow, hashes, self.bursts.era());
        Ok(StrongRef::publish_unheld(new))
    }
}
