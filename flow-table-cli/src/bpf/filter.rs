use std::sync::Arc;

use super::compile::{BpfError, compile};
use super::program::Program;
use crate::packet::LinkType;
use crate::read::Packet;

/// An expression that compiles for frames of some kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(Arc<str>);

impl Expression {
    /// Checks the expression. Most are for Ethernet. Some only make sense for others.
    ///
    /// # Errors
    ///
    /// Returns what the compiler says of it for Ethernet.
    pub fn new(text: &str) -> Result<Self, BpfError> {
        if let Err(error) = compile(text, LinkType::ETHERNET) {
            let refused = matches!(error, BpfError::Refused { .. });
            if !refused || LinkType::KNOWN.iter().all(|link| compile(text, *link).is_err()) {
                return Err(error);
            }
        }
        Ok(Self(text.into()))
    }
}

/// Selects frames by an expression.
pub struct FrameFilter {
    expression: Expression,
    /// The programs for the link types that have come, the last one used first.
    programs: Vec<(LinkType, Program)>,
}

impl FrameFilter {
    /// Selects by this expression.
    pub const fn new(expression: Expression) -> Self {
        Self { expression, programs: Vec::new() }
    }

    /// Returns `true` if the frame is wanted.
    ///
    /// # Errors
    ///
    /// Returns an error if the expression does not compile for frames of this kind.
    pub fn matches(&mut self, packet: &Packet<'_>) -> Result<bool, BpfError> {
        match self.programs.iter().position(|(link, _)| *link == packet.link) {
            Some(place) => self.programs.swap(0, place),
            None => {
                let program = compile(&self.expression.0, packet.link)?;
                self.programs.insert(0, (packet.link, program));
            }
        }
        Ok(self.programs[0].1.matches(packet.data, packet.wire_len))
    }
}
