use std::ops::RangeInclusive;

use flow_table_replicate::cluster::PortBlocks;
use flow_table_replicate::{Ownership, ShardId};

/// The outside ports from which a new session may take one.
///
/// In a cluster each shard has a block of the ports ([`PortBlocks`]), and only the owner of the shard hands out
/// ports of its block. A standby that follows a flow has taken its port. So no port is handed out twice, whoever
/// owns what.
#[derive(Clone, Copy, Debug)]
pub enum Share<'a> {
    /// All of them: there is no other gateway.
    All,
    /// Those of the shards that this gateway owns, `first` before the others.
    Owned {
        /// The shard of the session.
        first: ShardId,
        /// Which shards this gateway owns.
        ownership: &'a Ownership,
    },
}

impl Share<'_> {
    /// The ranges of ports to try, in this order. `all` are the ports of the address, and `blocks` their blocks.
    pub(super) fn ranges(
        self,
        all: RangeInclusive<u16>,
        blocks: Option<&PortBlocks>,
    ) -> impl Iterator<Item = RangeInclusive<u16>> {
        let (everything, owned) = match self {
            Self::All => (Some(all), None),
            Self::Owned { first, ownership } => (None, blocks.map(|blocks| (blocks, first, ownership))),
        };
        let owned = owned.into_iter().flat_map(|(blocks, first, ownership)| {
            let shards = (0..=u8::MAX).map(move |step| ShardId::new(first.get().wrapping_add(step)));
            let is_owned = |shard: &ShardId| ownership.role(*shard).owned;
            shards.filter(is_owned).map(|shard| blocks.block(shard))
        });
        everything.into_iter().chain(owned)
    }
}

#[cfg(test)]
mod tests {
    use flow_table::{FlowKey, FlowTable, TableConfig};
    use flow_table_replicate::{ClusterKey, Epoch, ReplicatedTable, Settings, Tracked};

    use super::*;

    type Flows = ReplicatedTable<u64, FlowTable<FlowKey, Tracked<u64>>>;

    /// What a table that owns these shards may hand out, in its order.
    fn ports(table: &Flows, first: u8) -> Vec<u16> {
        let blocks = PortBlocks::new(1_000..=3_000);
        let share = Share::Owned { first: ShardId::new(first), ownership: table.feed().ownership() };
        share.ranges(1_000..=3_000, blocks.as_ref()).flatten().collect()
    }

    #[test]
    fn blocks_are_disjoint_and_move_with_their_shards() {
        let settings = || Settings::new(ClusterKey::new([3; 16])).standby();
        let table = || Flows::with_settings(TableConfig::new(16), settings(), Default::default());
        let (one, other) = (table(), table());
        let own = |table: &Flows, shards: std::ops::Range<u8>| {
            let epochs: Vec<_> = shards.map(|shard| (ShardId::new(shard), Epoch::new(1))).collect();
            table.feed().own(&epochs)
        };
        assert!(ports(&one, 0).is_empty(), "who owns nothing hands nothing out");
        assert_eq!(own(&one, 0..100).len(), 100);
        own(&other, 100..200);
        let (mine, theirs) = (ports(&one, 42), ports(&other, 100));
        assert_eq!(mine[..7], [1_294, 1_295, 1_296, 1_297, 1_298, 1_299, 1_300], "the shard's own block first");
        assert_eq!((mine.len(), theirs.len()), (700, 700));
        assert!(mine.iter().all(|port| !theirs.contains(port)));
        own(&other, 200..201);
        assert_eq!(ports(&other, 200).len(), 707, "a block moves with its shard");
        assert_eq!(other.feed().ownership().owned().len() + one.feed().ownership().owned().len(), 201);
        assert_eq!(ports(&one, 255)[0], 1_000, "after the last comes the first");
        assert!(Share::All.ranges(5..=9, None).eq([5..=9]));
    }
}
