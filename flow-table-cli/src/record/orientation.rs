use clap::ValueEnum;
use flow_table::FlowKey;

use super::flow::FlowRecord;
use super::tally::Tally;

/// Which end of a flow is the source in its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Orientation {
    /// The one with the lower address and port; in flows of one direction, the sender.
    Address,
    /// The one that sent the first packet.
    First,
    /// The one that sent the SYN or received the SYN/ACK, else the one that sent the first packet.
    Syn,
}

/// A record, seen from its source.
#[derive(Clone, Copy, Debug)]
pub struct Oriented<'r> {
    /// The key from source to destination.
    pub key: FlowKey,
    /// The sums from source to destination.
    pub forward: &'r Tally,
    /// The sums from destination to source.
    pub reverse: &'r Tally,
}

impl FlowRecord {
    /// The record as `orientation` says.
    pub fn oriented(&self, orientation: Orientation) -> Oriented<'_> {
        let reversed = match orientation {
            Orientation::Address => false,
            Orientation::First => self.first_reversed,
            Orientation::Syn => self.syn_reversed.unwrap_or(self.first_reversed),
        };
        let [forward, reverse] = &self.directions;
        if reversed {
            Oriented { key: self.key.reversed(), forward: reverse, reverse: forward }
        } else {
            Oriented { key: self.key, forward, reverse }
        }
    }
}
