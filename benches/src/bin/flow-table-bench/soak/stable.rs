//! Flows that never end. They must be found, whatever comes and goes beside them.

use anyhow::{Error, Result, ensure};
use flow_table::{Flow, FlowKey, Timestamp};

use super::body::Body;
use super::number::Number;

/// A flow that never ends. It has one key or two.
pub(super) struct Stable {
    serial: u64,
    forward: Number,
    reply: Option<Number>,
}

impl Stable {
    pub(super) const fn new(serial: u64, forward: Number, reply: Option<Number>) -> Self {
        Self { serial, forward, reply }
    }

    /// The number of such flows in a table for `flows` flows.
    pub(super) const fn count(flows: usize) -> usize {
        if flows / 2 < 1024 { flows / 2 } else { 1024 }
    }

    /// The numbers that keys of these flows are made of; every second one is sheltered.
    pub(super) const fn numbers(flows: usize) -> usize {
        4 * Self::count(flows)
    }

    pub(super) const fn serial(&self) -> u64 {
        self.serial
    }

    /// Its keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = FlowKey> {
        [Some(self.forward), self.reply].into_iter().flatten().map(Number::key)
    }

    /// A look-up of `key`, one of its keys, has found `found`.
    pub(super) fn found(
        &self,
        key: &FlowKey,
        found: Option<&impl Flow<FlowKey, Body>>,
        now: Timestamp,
    ) -> Result<()> {
        let serial = self.serial;
        let Some(flow) = found else {
            return Err(Error::msg(format!("L1: {key} does not find flow {serial}, which never ends")));
        };
        let other = flow.value().serial();
        ensure!(other == serial, "L1: {key} finds flow {other} and not flow {serial}, which never ends");
        ensure!(flow.is_live(now), "L2: flow {serial}, which never ends, is {:?}", flow.state().load());
        flow.value().check(flow)
    }
}
