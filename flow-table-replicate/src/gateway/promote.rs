use std::time::Duration;

use crate::ShardSet;

/// What a take-over has found: see [`Gateway::promote`](super::Gateway::promote).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Promotion {
    /// The shards that this gateway owns now, of those asked for. Another one took the rest at the same time.
    pub shards: ShardSet,
    /// The flows in the table.
    pub flows: usize,
    /// The registry knows. If `false` it could not be reached: the shards were taken in the epoch after the latest
    /// known, and are entered when it is back, unless somebody else took them.
    pub confirmed: bool,
    /// Everything that the log held was applied first. If `false`, the time ran out before: what the former owner
    /// published last may be missing.
    pub drained: bool,
    /// The number of batches that were not applied, as far as the transport knows.
    pub behind: u64,
    /// Flows that could not be taken so far, because the table was full or a flow of this gateway's own has the
    /// key.
    pub conflicting: u64,
    /// How long it took.
    pub took: Duration,
}
