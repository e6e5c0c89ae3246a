//! Whether the two directions of a conversation are one flow.

use clap::ValueEnum;

/// Whether the two directions of a conversation are one flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowDirection {
    /// Each direction is a flow.
    Uni,
    /// Both directions are one flow, whose key has the lower address and port first.
    #[default]
    Bidi,
}
