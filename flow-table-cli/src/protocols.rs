//! Which packets belong to flows.

use clap::ValueEnum;

/// Which packets belong to flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocols {
    /// All IP packets.
    #[default]
    All,
    /// TCP, UDP and ICMP echo with their headers.
    L4,
}
