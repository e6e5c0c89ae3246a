//! Everything that can be measured, by name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use flow_table::{custom, dashmap};

use crate::Workload;
use crate::backend::Backend;
use crate::data::{Key, Payload};
use crate::floor::{Counted, Floor, HugePages, Overlapped, Read, Serial, SmallPages};
use crate::peers::{Lfht, Moka, Papaya, Peer, QuickCache, RteHash, RwlockHashbrown, Scc};
use crate::subject::Subject;
use crate::world::{Arena, World};

/// Something that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Candidate {
    /// The backend `flow-table-dashmap`.
    Dashmap,
    /// The backend `flow-table-custom`.
    Custom,
    /// The same, with all of its memory from the beginning.
    CustomPrefaulted,
    /// `papaya::HashMap`.
    Papaya,
    /// `scc::HashMap`.
    Scc,
    /// `moka::sync::Cache`.
    Moka,
    /// `quick_cache::sync::Cache`.
    QuickCache,
    /// `hashbrown::HashMap` under an `RwLock`.
    RwlockHashbrown,
    /// `rte_hash` of DPDK.
    RteHash,
    /// `cds_lfht` of liburcu.
    Lfht,
    /// Reads of two cache lines, in huge pages; neighbouring look-ups overlap.
    Floor,
    /// The same, and a counter up and down.
    FloorCounted,
    /// `floor`, but each look-up waits for the result of the one before.
    FloorSerial,
    /// `floor_counted`, but each look-up waits for the result of the one before.
    FloorSerialCounted,
    /// `floor` in 4 KiB pages.
    FloorSmallPages,
    /// `floor_counted` in 4 KiB pages.
    FloorCountedSmallPages,
}

/// The role of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A flow table.
    Backend,
    /// Another map or cache.
    Peer,
    /// A bound.
    Floor,
}

/// The type behind a candidate, made into what the closure-like macro body needs.
macro_rules! with_subject {
    ($candidate:expr, $subject:ident => $body:expr) => {
        match $candidate {
            Candidate::Dashmap => {
                type $subject = Backend<dashmap::FlowTable<Key, Payload>>;
                $body
            }
            Candidate::Custom => {
                type $subject = Backend<custom::FlowTable<Key, Payload>>;
                $body
            }
            Candidate::CustomPrefaulted => {
                type $subject = Backend<custom::FlowTable<Key, Payload>, true>;
                $body
            }
            Candidate::Papaya => {
                type $subject = Peer<Papaya>;
                $body
            }
            Candidate::Scc => {
                type $subject = Peer<Scc>;
                $body
            }
            Candidate::Moka => {
                type $subject = Peer<Moka>;
                $body
            }
            Candidate::QuickCache => {
                type $subject = Peer<QuickCache>;
                $body
            }
            Candidate::RwlockHashbrown => {
                type $subject = Peer<RwlockHashbrown>;
                $body
            }
            Candidate::RteHash => {
                type $subject = RteHash;
                $body
            }
            Candidate::Lfht => {
                type $subject = Lfht;
                $body
            }
            Candidate::Floor => {
                type $subject = Floor<HugePages, Read, Overlapped>;
                $body
            }
            Candidate::FloorCounted => {
                type $subject = Floor<HugePages, Counted, Overlapped>;
                $body
            }
            Candidate::FloorSerial => {
                type $subject = Floor<HugePages, Read, Serial>;
                $body
            }
            Candidate::FloorSerialCounted => {
                type $subject = Floor<HugePages, Counted, Serial>;
                $body
            }
            Candidate::FloorSmallPages => {
                type $subject = Floor<SmallPages, Read, Overlapped>;
                $body
            }
            Candidate::FloorCountedSmallPages => {
                type $subject = Floor<SmallPages, Counted, Overlapped>;
                $body
            }
        }
    };
}

impl Candidate {
    /// All of them, in the order of reports.
    pub const ALL: &[Self] = &[
        Self::Dashmap,
        Self::Custom,
        Self::CustomPrefaulted,
        Self::Papaya,
        Self::Scc,
        Self::Moka,
        Self::QuickCache,
        Self::RwlockHashbrown,
        Self::RteHash,
        Self::Lfht,
        Self::Floor,
        Self::FloorCounted,
        Self::FloorSerial,
        Self::FloorSerialCounted,
        Self::FloorSmallPages,
        Self::FloorCountedSmallPages,
    ];

    /// The name in commands, records and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dashmap => "dashmap",
            Self::Custom => "custom",
            Self::CustomPrefaulted => "custom_prefaulted",
            Self::Papaya => "papaya",
            Self::Scc => "scc",
            Self::Moka => "moka",
            Self::QuickCache => "quick_cache",
            Self::RwlockHashbrown => "rwlock_hashbrown",
            Self::RteHash => "dpdk_rte_hash",
            Self::Lfht => "urcu_lfht",
            Self::Floor => "floor",
            Self::FloorCounted => "floor_counted",
            Self::FloorSerial => "floor_serial",
            Self::FloorSerialCounted => "floor_serial_counted",
            Self::FloorSmallPages => "floor_4k",
            Self::FloorCountedSmallPages => "floor_counted_4k",
        }
    }

    /// The role of the candidate.
    pub const fn role(self) -> Role {
        match self {
            Self::Dashmap | Self::Custom | Self::CustomPrefaulted => Role::Backend,
            Self::Papaya
            | Self::Scc
            | Self::Moka
            | Self::QuickCache
            | Self::RwlockHashbrown
            | Self::RteHash
            | Self::Lfht => Role::Peer,
            Self::Floor
            | Self::FloorCounted
            | Self::FloorSerial
            | Self::FloorSerialCounted
            | Self::FloorSmallPages
            | Self::FloorCountedSmallPages => Role::Floor,
        }
    }

    /// Roughly how many bytes a flow takes, estimated rather too high. Used to see what fits into memory.
    pub const fn bytes_per_flow(self) -> usize {
        match (self, self.role()) {
            (Self::Dashmap | Self::Moka, _) => 500,
            (Self::Custom | Self::CustomPrefaulted, _) => 200,
            (_, Role::Floor) => 140,
            _ => 250,
        }
    }

    /// The library that was not found when this was built, if the candidate needs one. Without the feature
    /// `c-peers`, none was looked for.
    pub const fn missing_library(self) -> Option<&'static str> {
        match self {
            Self::RteHash if cfg!(all(feature = "c-peers", not(flow_table_dpdk))) => Some("libdpdk"),
            Self::Lfht if cfg!(all(feature = "c-peers", not(flow_table_lfht))) => Some("liburcu-cds"),
            _ => None,
        }
    }

    /// The reason why it cannot run `workload`, if it cannot.
    pub fn cannot(self, workload: Workload) -> Option<&'static str> {
        with_subject!(self, S => <S as Subject>::cannot(workload))
    }

    /// An empty table of `flows` flows, to be filled for `workload` by `threads` threads.
    pub fn world(self, workload: Workload, flows: usize, threads: usize) -> Arc<dyn World> {
        with_subject!(self, S => Arc::new(Arena::<S>::new(workload, flows, threads)))
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Candidate {
    type Err = UnknownCandidate;

    fn from_str(name: &str) -> Result<Self, UnknownCandidate> {
        let found = Self::ALL.iter().find(|candidate| candidate.name() == name);
        found.copied().ok_or_else(|| UnknownCandidate(name.to_owned()))
    }
}

/// A name that no candidate has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no candidate '{0}'")]
pub struct UnknownCandidate(String);
