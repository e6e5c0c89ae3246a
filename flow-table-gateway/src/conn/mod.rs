//! What the table keeps for each flow.

mod phase;
mod sources;
mod track;
mod traffic;

use flow_table::{Direction, Timestamp};

pub use phase::Phase;
pub(crate) use sources::{Source, Sources};
pub(crate) use track::{Seen, Track};
pub use traffic::Traffic;

use crate::nat::{Binding, Mapping};

/// The value of a flow. The two keys of the flow are its translation: a packet that matches one of them leaves
/// with the ends of the other one, exchanged.
#[derive(Debug)]
pub struct Conn {
    pub(crate) track: Track,
    traffic: [Traffic; 2],
    since: Timestamp,
    pub(crate) parts: Parts,
}

/// What a flow holds as long as it lives, and frees when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// The outside port of the end that began the flow.
    pub(crate) binding: Option<Binding>,
    /// The mapping through which the other end was reached.
    pub(crate) target: Option<Mapping>,
    /// The place among the flows of its source.
    pub(crate) source: Option<Source>,
}

impl Conn {
    pub(crate) fn new(track: Track, since: Timestamp, parts: Parts) -> Self {
        Self { track, traffic: Default::default(), since, parts }
    }

    /// What went in this direction.
    pub const fn traffic(&self, direction: Direction) -> &Traffic {
        &self.traffic[direction as usize]
    }

    /// How far the flow is.
    pub fn phase(&self, is_tcp: bool) -> Phase {
        self.track.phase(is_tcp)
    }

    /// When the flow began.
    pub const fn since(&self) -> Timestamp {
        self.since
    }
}
