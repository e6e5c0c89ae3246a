use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use anyhow::{Result, ensure};
use flow_table::{Flow, Timestamp};

use super::ledger::Ledger;
use super::number::Number;

/// The value of a flow. It knows its flow, what was promised about it, and how the table released it.
pub(super) struct Body {
    serial: u64,
    /// The complement of the serial number, until the value is dropped.
    seal: AtomicU64,
    forward: Number,
    reply: Option<Number>,
    ledger: Arc<Ledger>,
    /// The latest deadline, in nanoseconds, that somebody was granted.
    promise: AtomicU64,
    /// How often the table handed the flow over.
    let_go: AtomicU32,
    /// It was in the table.
    entered: AtomicBool,
    /// Somebody tried to put it back, so that it may have ended more than once.
    put_back: AtomicBool,
    /// A caller that does not learn the outcome tried to remove it.
    unwanted: AtomicBool,
}

impl Body {
    pub(super) fn new(serial: u64, forward: Number, reply: Option<Number>, ledger: &Arc<Ledger>) -> Self {
        Self {
            serial,
            seal: AtomicU64::new(!serial),
            forward,
            reply,
            ledger: Arc::clone(ledger),
            promise: AtomicU64::new(0),
            let_go: AtomicU32::new(0),
            entered: AtomicBool::new(false),
            put_back: AtomicBool::new(false),
            unwanted: AtomicBool::new(false),
        }
    }

    pub(super) const fn serial(&self) -> u64 {
        self.serial
    }

    pub(super) const fn forward(&self) -> Number {
        self.forward
    }

    pub(super) const fn reply(&self) -> Option<Number> {
        self.reply
    }

    pub(super) const fn is_sheltered(&self) -> bool {
        self.forward.is_sheltered()
    }

    // Relaxed, here and below: each flag stands for itself; where two threads must agree on an order, they do by
    // the flow's own state, or by the end of the round.

    /// The flow is in the table. Called while a handle is held.
    pub(super) fn enter(&self) {
        self.entered.store(true, Ordering::Relaxed);
    }

    /// Called before each attempt.
    pub(super) fn put_back(&self) {
        self.put_back.store(true, Ordering::Relaxed);
    }

    pub(super) fn was_put_back(&self) -> bool {
        self.put_back.load(Ordering::Relaxed)
    }

    /// Called before an attempt to remove it whose outcome the caller will not know.
    pub(super) fn unwanted(&self) {
        self.unwanted.store(true, Ordering::Relaxed);
    }

    /// Somebody was granted `deadline`.
    pub(super) fn promise(&self, deadline: Timestamp) {
        self.promise.fetch_max(deadline.as_nanos(), Ordering::Relaxed);
    }

    pub(super) fn promised(&self) -> Timestamp {
        Timestamp::from_nanos(self.promise.load(Ordering::Relaxed))
    }

    /// The table handed the flow over, or returned it to the call that removed or replaced it.
    pub(super) fn let_go(&self) -> Result<()> {
        // AcqRel: pairs with itself, so that the second one sees who put the flow back between the two.
        let before = self.let_go.fetch_add(1, Ordering::AcqRel);
        ensure!(before == 0 || self.was_put_back(), "R4: flow {} was handed over twice", self.serial);
        Ok(())
    }

    /// This is the value of `flow`, and was not dropped.
    pub(super) fn check(&self, flow: &impl Flow<flow_table::FlowKey, Self>) -> Result<()> {
        let seal = self.seal.load(Ordering::Relaxed);
        ensure!(seal == !self.serial, "V1: value {} was read after its end", self.serial);
        ensure!(*flow.key() == self.forward.key(), "I6: value {} is not under its key", self.serial);
        let reply = self.reply.map(Number::key);
        ensure!(flow.reply_key() == reply.as_ref(), "I6: value {} is not under its reply key", self.serial);
        Ok(())
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let sealed = std::mem::replace(self.seal.get_mut(), 0) == !self.serial;
        let lost = *self.entered.get_mut() && *self.let_go.get_mut() == 0 && !*self.unwanted.get_mut();
        self.ledger.dropped(self.serial, sealed, lost);
        self.ledger.temper().burst_out(self.serial);
    }
}
