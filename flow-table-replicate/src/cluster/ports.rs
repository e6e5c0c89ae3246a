use std::ops::RangeInclusive;

use crate::ShardId;

/// A NAT pool's ports, in disjoint blocks: one for each shard, which moves with the shard's ownership.
///
/// A gateway takes the external port of a flow from the block of the flow's shard. So two gateways never hand
/// one port out twice, also while a take-over is under way, and a reply packet's port says which shard it
/// belongs to. A block has a 256th of the ports: of 1024 to 65535 these are 252 for each address and protocol;
/// use more addresses if a shard needs more.
///
/// ```
/// # use flow_table_replicate::{ShardId, cluster::PortBlocks};
/// let blocks = PortBlocks::new(1024..=65535).unwrap();
/// assert_eq!(blocks.block(ShardId::new(1)), 1276..=1527);
/// assert_eq!(blocks.shard(1300), Some(ShardId::new(1)));
/// assert_eq!(blocks.shard(80), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortBlocks {
    first: u16,
    size: u16,
}

impl PortBlocks {
    /// Divides these ports. Up to 255 ports at the end are left over. `None` if there are fewer than 256.
    pub fn new(ports: RangeInclusive<u16>) -> Option<Self> {
        let size = ports.len() / ShardId::COUNT;
        let size = u16::try_from(size).ok().filter(|size| *size > 0)?;
        Some(Self { first: *ports.start(), size })
    }

    /// The ports of a shard.
    pub const fn block(&self, shard: ShardId) -> RangeInclusive<u16> {
        let start = self.first + shard.get() as u16 * self.size;
        start..=start + (self.size - 1)
    }

    /// The shard of a port: `None` if the port is in no block.
    pub fn shard(&self, port: u16) -> Option<ShardId> {
        let index = port.checked_sub(self.first)? / self.size;
        u8::try_from(index).ok().map(ShardId::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_disjoint_and_each_port_knows_its_own() {
        for ports in [0..=u16::MAX, 1024..=u16::MAX, 1000..=1255, 5..=1000] {
            let blocks = PortBlocks::new(ports.clone()).unwrap();
            let mut next = *ports.start();
            for shard in ShardId::all() {
                let block = blocks.block(shard);
                assert!(*block.start() == next && block.clone().all(|port| blocks.shard(port) == Some(shard)));
                next = block.end().wrapping_add(1);
            }
            let left = u32::from(*ports.end()) + 1 - (u32::from(*blocks.block(ShardId::new(255)).end()) + 1);
            assert!(left < 256, "{left} left of {ports:?}");
        }
        assert_eq!(PortBlocks::new(1..=255), None);
    }
}
