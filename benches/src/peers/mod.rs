//! Other maps and caches. Each does as much of the workloads as it can.
//!
//! All hold counted records, as a flow table does: a look-up that hits counts a reference up, moves the record's
//! deadline by the same atomic operation as the backends, and counts down again. All hash with the backends' hash
//! function. Only `moka` expires anything, by its own clock. Where a workload expires flows one by one, peers are
//! told which flow is due, and remove it by its key. So they do less work there than a flow table, which must find
//! it.

mod moka;
mod papaya;
mod peer;
mod quick_cache;
mod record;
mod rwlock_hashbrown;
mod scc;

pub use self::moka::Moka;
pub use self::papaya::Papaya;
pub use self::peer::{Map, Peer};
pub use self::quick_cache::QuickCache;
pub use self::record::{Record, Shared};
pub use self::rwlock_hashbrown::RwlockHashbrown;
pub use self::scc::Scc;
