//! Other maps and caches. Each does as much of the workloads as it can.
//!
//! Those in Rust hold counted records, as a flow table does: a look-up that hits counts a reference up, moves the
//! record's deadline by the same atomic operation as the backends, and counts down again. They hash with the
//! backends' hash function. Only `moka` expires anything, by its own clock. Where a workload expires flows one by
//! one, peers are told which flow is due, and remove it by its key. So they do less work there than a flow table,
//! which must find it. The peers in C, in the module `c`, are different. They are there only with the feature
//! `c-peers`, and if their libraries were found.

#[cfg(not(all(flow_table_dpdk, flow_table_lfht)))]
mod absent;
#[cfg(any(flow_table_dpdk, flow_table_lfht))]
pub mod c;
mod moka;
mod papaya;
mod peer;
mod quick_cache;
mod record;
mod rwlock_hashbrown;
mod scc;

#[cfg(not(all(flow_table_dpdk, flow_table_lfht)))]
pub use self::absent::Absent;
pub use self::moka::Moka;
pub use self::papaya::Papaya;
pub use self::peer::{Map, Peer};
pub use self::quick_cache::QuickCache;
pub use self::record::{Record, Shared};
pub use self::rwlock_hashbrown::RwlockHashbrown;
pub use self::scc::Scc;

/// `rte_hash` of DPDK, if this build has it.
#[cfg(flow_table_dpdk)]
pub type RteHash = c::CPeer<c::Dpdk>;
/// `rte_hash` of DPDK, if this build has it.
#[cfg(not(flow_table_dpdk))]
pub type RteHash = Absent;

/// `cds_lfht` of liburcu, if this build has it.
#[cfg(flow_table_lfht)]
pub type Lfht = c::CPeer<c::Lfht>;
/// `cds_lfht` of liburcu, if this build has it.
#[cfg(not(flow_table_lfht))]
pub type Lfht = Absent;
