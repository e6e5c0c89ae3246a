//! The lock of a shard, as the parts of flows that belong to it see it.

/// The right to what belongs to the lock of a shard in the pages of this shard. There is one for each shard,
/// behind its lock.
pub(crate) struct Locked {
    pub(super) shard: u32,
}

impl Locked {
    /// For the shard with this number.
    pub(crate) const fn new(shard: u32) -> Self {
        Self { shard }
    }
}
