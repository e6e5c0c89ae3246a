use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::service::row::FlowRow;

/// What an operator asks a running gateway. A request and each reply are one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The flows that a [`Filter`](super::Filter) lets pass.
    Flows(String),
    /// The statistics.
    Stats,
    /// End all flows.
    Flush,
    /// Read the configuration again, as SIGHUP does.
    Reload,
    /// Make this one of a pair the active one.
    Promote,
}

/// What a gateway answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// One flow. There is a line for each.
    Flow(Box<FlowRow>),
    /// The statistics.
    Stats(Statistics),
    /// The number of flows that were ended.
    Ended(usize),
    /// What the promotion found.
    Promoted(Promoted),
    /// Why the request was refused.
    Error(String),
}

/// The statistics of a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Seconds since the start.
    pub uptime: u64,
    /// Flows in the table.
    pub flows: usize,
    /// Its limit.
    pub capacity: usize,
    /// Flows that have begun.
    pub begun: u64,
    /// Flows whose timeout has passed.
    pub expired: u64,
    /// Flows that were ended by a reload or a flush.
    pub cancelled: u64,
    /// Outside ports in use.
    pub ports: usize,
    /// Fragmented packets that are followed.
    pub fragments: usize,
    /// Memory of all tables, in bytes.
    pub bytes: usize,
    /// Packets that were forwarded. One that the system has yet to cut into segments counts as one.
    pub forwarded: u64,
    /// Their bytes.
    pub forwarded_bytes: u64,
    /// ICMP errors that the gateway sent.
    pub errors_sent: u64,
    /// Packets that were dropped, by reason.
    pub refused: BTreeMap<String, u64>,
    /// How the replication is doing, in one of a pair.
    pub replication: Option<Replication>,
}

/// What a promotion found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promoted {
    /// Whether this gateway is the active one now.
    pub is_active: bool,
    /// Flows in the table.
    pub flows: usize,
    /// The registry knows of it.
    pub confirmed: bool,
    /// Everything that the log held was applied first.
    pub drained: bool,
    /// Flows that could not be taken over.
    pub conflicting: u64,
    /// How long it took, in microseconds.
    pub microseconds: u64,
}

/// How the replication of one of a pair is doing. All times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replication {
    /// Whether this gateway is the active one.
    pub is_active: bool,
    /// Batches in the log that have not been applied yet.
    pub behind: u64,
    /// For how long it has heard nothing.
    pub unheard: u64,
    /// For how long the log has stored nothing while batches waited for it.
    pub unacknowledged: u64,
    /// Since when the flows of the other are known completely.
    pub sweep_age: Option<u64>,
}
