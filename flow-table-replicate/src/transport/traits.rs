use std::time::Duration;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The number that was passed to [`Sink::send`].
    pub token: u64,
    /// The log has it. If `false`, it may have it nevertheless.
    pub stored: bool,
}

/// The transport takes no batch now: it is not connected, or has too much to do. Try again later.
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[error("the transport takes no batch now")]
pub struct Busy;

/// Where an owner's batches go.
pub trait Sink: Send {
    /// Hands a batch to the transport. Does not wait. The outcome comes later, in any order, or never.
    ///
    /// # Errors
    ///
    /// [`Busy`]: the transport has not taken it.
    fn send(&mut self, token: u64, batch: &[u8]) -> Result<(), Busy>;

    /// Appends the outcomes that have come since the last call. Does not wait.
    fn outcomes(&mut self, outcomes: &mut Vec<Outcome>);
}

/// Something that a source tells beside batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The log no longer had what was to be read next: that many batches, if it is known.
    Truncated(u64),
    /// The connection was lost and is back, or the source has started over.
    Reconnected,
}

/// Where a standby's batches come from.
pub trait Source: Send {
    /// Passes batches to `deliver` until there is none left or it has passed `limit` of them, and returns how many
    /// it passed. Waits for the first one, at most for `wait`.
    fn receive(
        &mut self,
        wait: Duration,
        limit: usize,
        deliver: &mut dyn FnMut(&[u8]),
        event: &mut dyn FnMut(Event),
    ) -> usize;

    /// The number of batches in the log that have not been read yet, as far as it is known.
    fn behind(&self) -> u64;
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn send(&mut self, token: u64, batch: &[u8]) -> Result<(), Busy> {
        (**self).send(token, batch)
    }

    fn outcomes(&mut self, outcomes: &mut Vec<Outcome>) {
        (**self).outcomes(outcomes);
    }
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn receive(
        &mut self,
        wait: Duration,
        limit: usize,
        deliver: &mut dyn FnMut(&[u8]),
        event: &mut dyn FnMut(Event),
    ) -> usize {
        (**self).receive(wait, limit, deliver, event)
    }

    fn behind(&self) -> u64 {
        (**self).behind()
    }
}
