use std::fmt::Display;
use std::sync::OnceLock;

/// What was found wrong first, if anything was.
#[derive(Debug, Default)]
pub(super) struct Verdict(OnceLock<String>);

impl Verdict {
    /// Finds that `violation` has happened. What came first stands.
    pub(super) fn violated(&self, violation: impl Display) {
        self.0.get_or_init(|| violation.to_string());
    }

    pub(super) fn violation(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    pub(super) fn is_violated(&self) -> bool {
        self.0.get().is_some()
    }
}
