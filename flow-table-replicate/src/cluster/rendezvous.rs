use std::hash::Hasher;

use super::NodeId;
use crate::{ClusterKey, ShardId, ShardSet};

/// The gateways of a cluster, and which of them should have which shard.
///
/// By rendezvous hashing (Thaler and Ravishankar, 1998): each gateway has a score for each shard, and the highest
/// one owns it. If a gateway fails, its shards go each to the next one in its order, which is the standby of that
/// shard; no other shard moves.
///
/// ```
/// # use flow_table_replicate::{ClusterKey, ShardId, cluster::{Members, NodeId}};
/// let members = Members::new(ClusterKey::new([7; 16]), [1, 2, 3].map(NodeId));
/// let shard = ShardId::new(40);
/// let (owner, standby) = (members.owner(shard).unwrap(), members.standby(shard).unwrap());
/// assert_eq!(members.without(owner).owner(shard), Some(standby));
/// ```
#[derive(Clone, Debug)]
pub struct Members {
    key: ClusterKey,
    nodes: Vec<NodeId>,
}

impl Members {
    /// These gateways, in any order.
    pub fn new(key: ClusterKey, nodes: impl IntoIterator<Item = NodeId>) -> Self {
        let mut nodes: Vec<_> = nodes.into_iter().collect();
        nodes.sort_unstable();
        nodes.dedup();
        Self { key, nodes }
    }

    /// The others.
    pub fn without(&self, node: NodeId) -> Self {
        Self { nodes: self.nodes.iter().copied().filter(|other| *other != node).collect(), ..*self }
    }

    fn ranked(&self, shard: ShardId) -> Vec<NodeId> {
        let score = |node: &NodeId| {
            self.key.hash(|hasher| {
                hasher.write(&node.0.to_le_bytes());
                hasher.write(&[shard.get()]);
            })
        };
        let mut nodes = self.nodes.clone();
        nodes.sort_by_key(|node| std::cmp::Reverse(score(node)));
        nodes
    }

    /// Who should own a shard: `None` if there is no gateway.
    pub fn owner(&self, shard: ShardId) -> Option<NodeId> {
        self.ranked(shard).first().copied()
    }

    /// Who takes the shard if its owner fails: `None` if there is no other gateway.
    pub fn standby(&self, shard: ShardId) -> Option<NodeId> {
        self.ranked(shard).get(1).copied()
    }

    /// The shards that a gateway should own.
    pub fn shards(&self, node: NodeId) -> ShardSet {
        ShardId::all().filter(|shard| self.owner(*shard) == Some(node)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shards_of_a_failed_gateway_move_and_go_to_their_standbys() {
        let three = Members::new(ClusterKey::new([1; 16]), [1, 2, 3].map(NodeId));
        let two = three.without(NodeId(2));
        for shard in ShardId::all() {
            let expected = match three.owner(shard) {
                Some(NodeId(2)) => three.standby(shard),
                owner => owner,
            };
            assert_eq!(two.owner(shard), expected);
        }
        let shares = [1, 2, 3].map(|node| three.shards(NodeId(node)).len());
        assert!(shares.iter().all(|share| (50..120).contains(share)) && shares.iter().sum::<usize>() == 256);
        assert_eq!(Members::new(ClusterKey::new([1; 16]), []).owner(ShardId::new(0)), None);
    }
}
