//! `prepare`: makes a flow that is not in the table yet.

use flow_table_api::{Key, NewFlow, Value};

use super::insert::Refusal;
use crate::core::Core;
use crate::handle::StrongRef;
use crate::hash::KeyHashes;

impl<K: Key, V: Value> Core<K, V> {
    /// Makes the flow, which it takes out of `flow`, or leaves it there. A reinsertion puts it into the table: it
    /// is detached, has no slots and is filed nowhere, as a removed flow.
    pub(crate) fn prepare_flow(
        &self,
        flow: &mut Option<NewFlow<K, V>>,
        hashes: KeyHashes,
    ) -> Result<StrongRef<K, V>, Refusal<K, V>> {
        let new = flow.as_ref().expect("the caller's flow");
        if new.reply_key() == Some(new.key()) {
            return Err(Refusal::IdenticalKeys);
        }
        let mut shard = self.shards.lock(self.shards.index.shard_of(hashes.forward));
        let vacant = shard.alloc(hashes.reply.is_some(), self.address()).map_err(|_| Refusal::OutOfMemory)?;
        let birth = self.bursts.era();
        let (new, _) = shard.write(vacant, flow.take().expect("the caller's flow"), hashes, birth);
        Ok(StrongRef::publish_unheld(new))
    }
}
