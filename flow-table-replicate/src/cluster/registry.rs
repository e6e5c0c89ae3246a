use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::{Epoch, ShardId, ShardSet};

/// The number of a gateway in its cluster, chosen by the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u64);

/// The owner of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The gateway.
    pub node: NodeId,
    /// The number of the ownership: each take-over adds one.
    pub epoch: u32,
}

/// The owners of all shards, as the registry keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardMap(Vec<Option<Owner>>);

impl ShardMap {
    /// The owner of a shard; `None` if nobody has taken it yet.
    pub fn owner(&self, shard: ShardId) -> Option<Owner> {
        self.0.get(shard.index()).copied().flatten()
    }

    /// The shards of a gateway.
    pub fn owned_by(&self, node: NodeId) -> ShardSet {
        ShardId::all().filter(|shard| self.owner(*shard).is_some_and(|owner| owner.node == node)).collect()
    }

    fn set(&mut self, shard: ShardId, owner: Owner) {
        if self.0.len() < ShardId::COUNT {
            self.0.resize(ShardId::COUNT, None);
        }
        self.0[shard.index()] = Some(owner);
    }

    fn epoch(&self, shard: ShardId) -> Epoch {
        self.owner(shard).map_or(Epoch::NONE, |owner| Epoch::new(owner.epoch))
    }
}

/// The registry cannot be reached now.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
#[error("the registry of owners cannot be reached: {0}")]
pub struct Unreachable(pub String);

/// Where the owners of shards are kept, all in one value: it is replaced by compare-and-set.
pub trait Registry: Send {
    /// Reads the map and its version. An empty registry has an empty map. Waits at most for `limit`.
    ///
    /// # Errors
    ///
    /// [`Unreachable`]
    fn read(&mut self, limit: Duration) -> Result<(u64, ShardMap), Unreachable>;

    /// Replaces the map if it still has this version. Returns `false` if it has not. Waits at most for `limit`.
    ///
    /// # Errors
    ///
    /// [`Unreachable`]: the map may have been replaced nevertheless.
    fn replace(&mut self, version: u64, map: &ShardMap, limit: Duration) -> Result<bool, Unreachable>;
}

/// Takes `shards` for `node`, each in an epoch above the one in the map and above what `known` says. Returns the
/// map as it is then.
pub fn claim(
    registry: &mut dyn Registry,
    node: NodeId,
    shards: ShardSet,
    known: impl Fn(ShardId) -> Epoch,
    limit: Duration,
) -> Result<ShardMap, Unreachable> {
    change(registry, limit, |map| {
        for shard in shards.iter() {
            let epoch = map.epoch(shard).max(known(shard)).next().unwrap_or(Epoch::MAX);
            map.set(shard, Owner { node, epoch: epoch.get() });
        }
    })
}

/// Enters what was taken without the registry, where nobody has taken more since. Returns the map as it is then:
/// the shards that it gives to others are theirs.
pub fn confirm(
    registry: &mut dyn Registry,
    node: NodeId,
    taken: impl Fn(ShardId) -> Option<Epoch>,
    limit: Duration,
) -> Result<ShardMap, Unreachable> {
    change(registry, limit, |map| {
        for (shard, epoch) in ShardId::all().filter_map(|shard| Some((shard, taken(shard)?))) {
            if map.epoch(shard) < epoch {
                map.set(shard, Owner { node, epoch: epoch.get() });
            }
        }
    })
}

fn change(
    registry: &mut dyn Registry,
    limit: Duration,
    change: impl Fn(&mut ShardMap),
) -> Result<ShardMap, Unreachable> {
    let start = Instant::now();
    loop {
        let left = || limit.saturating_sub(start.elapsed());
        let (version, mut map) = registry.read(left())?;
        change(&mut map);
        if registry.replace(version, &map, left())? {
            return Ok(map);
        }
        if left().is_zero() {
            return Err(Unreachable("it was changed all the time".to_owned()));
        }
    }
}

/// A registry in the memory of the process, for gateways in one process and for tests. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct MemoryRegistry(Arc<Mutex<(u64, ShardMap)>>);

impl Registry for MemoryRegistry {
    fn read(&mut self, _: Duration) -> Result<(u64, ShardMap), Unreachable> {
        Ok(self.0.lock().clone())
    }

    fn replace(&mut self, version: u64, map: &ShardMap, _: Duration) -> Result<bool, Unreachable> {
        let mut kept = self.0.lock();
        if kept.0 != version {
            return Ok(false);
        }
        *kept = (version + 1, map.clone());
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn of_gateways_that_claim_at_once_each_gets_an_epoch_of_its_own() {
        let registry = MemoryRegistry::default();
        let claims = |node| {
            let mut registry = registry.clone();
            move || {
                let epochs = (0..50).map(|_| {
                    let map = claim(&mut registry, NodeId(node), ShardSet::ALL, |_| Epoch::NONE, LIMIT).unwrap();
                    map.owner(ShardId::new(3)).unwrap().epoch
                });
                epochs.collect::<Vec<_>>()
            }
        };
        let threads = [1, 2].map(|node| std::thread::spawn(claims(node)));
        let mut epochs: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        epochs.sort_unstable();
        assert!(epochs.into_iter().eq(1..=100));
    }

    #[test]
    fn what_was_taken_without_the_registry_is_entered_unless_somebody_took_more() {
        let mut registry = MemoryRegistry::default();
        claim(&mut registry, NodeId(1), ShardSet::ALL, |_| Epoch::new(4), LIMIT).unwrap();
        let taken = |shard: ShardId| (shard.index() < 2).then(|| Epoch::new(5 + shard.index() as u32));
        let map = confirm(&mut registry, NodeId(2), taken, LIMIT).unwrap();
        let owner = |shard| map.owner(ShardId::new(shard)).map(|owner| (owner.node.0, owner.epoch));
        assert_eq!([owner(0), owner(1), owner(2)], [Some((1, 5)), Some((2, 6)), Some((1, 5))]);
        assert_eq!(map.owned_by(NodeId(2)).len(), 1);
    }
}
