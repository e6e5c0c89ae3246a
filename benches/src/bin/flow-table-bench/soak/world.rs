use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};
use flow_table::{Clock, EndReason, Ended, Flow, FlowKey, FlowRef, ManualClock, Status, Table, Timestamp};

use super::body::Body;
use super::ledger::Ledger;
use super::number::Number;
use super::operation::Operation;
use super::setting::Setting;
use super::stable::Stable;
use super::tally::Tally;
use super::verdict::Verdict;

/// The handles of a table.
pub(super) type RefOf<T> = <T as Table<FlowKey, Body>>::Ref;
/// The flows of a table.
pub(super) type FlowOf<T> = <T as Table<FlowKey, Body>>::Flow;
/// The weak handles of a table.
pub(super) type WeakOf<T> = <RefOf<T> as FlowRef<FlowKey, Body>>::Weak;

/// Keys of flows that come and go, for each flow that there is room for.
const KEYS: usize = 4;

/// What the threads share.
pub(super) struct World<T: Table<FlowKey, Body>> {
    pub(super) setting: Setting,
    pub(super) table: T,
    /// The capacity at its highest.
    pub(super) flows: usize,
    /// What keys are made of: first those of flows that come and go, more than there is room for, then those of
    /// flows that never end.
    pub(super) numbers: Vec<Number>,
    /// Flows that never end.
    pub(super) stable: Vec<Stable>,
    /// Held by the thread that changes the capacity.
    pub(super) capacity: Mutex<()>,
    pub(super) clock: ManualClock,
    pub(super) ledger: Arc<Ledger>,
    /// What values did while they were dropped.
    pub(super) in_drops: Mutex<Tally>,
    pub(super) verdict: Arc<Verdict>,
    /// Handles that wait for a thread to swap them with one of its own.
    pub(super) exchange: Vec<Mutex<Option<RefOf<T>>>>,
    pub(super) pulses: Arc<[Pulse]>,
    /// Where the threads meet before one forgets a burst.
    pub(super) meeting: Barrier,
    /// The round is over.
    pub(super) over: AtomicBool,
}

/// What a thread is doing. It has cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Pulse {
    operations: AtomicU64,
    doing: AtomicU8,
}

impl Pulse {
    /// The next operation begins.
    pub(super) fn begin(&self, operation: Operation) {
        // Relaxed, here and below: for display only. One thread writes.
        self.doing.store(operation as u8, Ordering::Relaxed);
        self.operations.store(self.operations() + 1, Ordering::Relaxed);
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    pub(super) fn doing(&self) -> Operation {
        Operation::ALL[usize::from(self.doing.load(Ordering::Relaxed))]
    }
}

impl<T: Table<FlowKey, Body>> World<T> {
    pub(super) fn new(
        setting: Setting,
        flows: usize,
        seed: u64,
        verdict: Arc<Verdict>,
        pulses: Arc<[Pulse]>,
    ) -> Self {
        let flows = setting.flows(flows, seed);
        Self {
            setting,
            table: T::with_config(setting.config(flows, seed)),
            flows,
            numbers: setting.numbers(KEYS * flows + Stable::numbers(flows), seed),
            stable: Vec::new(),
            capacity: Mutex::default(),
            clock: ManualClock::default(),
            ledger: Arc::new(Ledger::new(Arc::clone(&verdict))),
            in_drops: Mutex::default(),
            verdict,
            exchange: (0..256).map(|_| Mutex::default()).collect(),
            meeting: Barrier::new(pulses.len()),
            pulses,
            over: AtomicBool::new(false),
        }
    }

    /// The number of some key whose flows come and go.
    pub(super) fn some_number(&self, draw: usize) -> Number {
        self.numbers[draw % (KEYS * self.flows)]
    }

    /// The numbers that are left for flows that never end.
    pub(super) fn stable_numbers(&self) -> &[Number] {
        &self.numbers[KEYS * self.flows..]
    }

    /// Where a handle may wait.
    pub(super) fn place(&self, draw: usize) -> MutexGuard<'_, Option<RefOf<T>>> {
        let place = &self.exchange[draw % self.exchange.len()];
        place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All handles that wait.
    pub(super) fn waiting(&self) -> Vec<RefOf<T>> {
        (0..self.exchange.len()).filter_map(|place| self.place(place).clone()).collect()
    }

    /// Returns `true` if threads should continue.
    pub(super) fn goes_on(&self) -> bool {
        // Relaxed: a thread may learn of it a little later.
        !self.over.load(Ordering::Relaxed) && !self.verdict.is_violated()
    }

    /// Checks a flow that the table handed over: it is readable, it ended for this reason and in time, and it is
    /// handed over for the first time.
    pub(super) fn handed_over(&self, ended: &Ended<RefOf<T>>, tally: &mut Tally) -> Result<()> {
        let (flow, reason) = (&ended.flow, ended.reason);
        let body = flow.value();
        body.check(&**flow)?;
        body.let_go()?;
        tally.handed_over(reason);
        let (status, deadline, serial) = (flow.status(), flow.deadline(), body.serial());
        // Read after the flow's state: whatever time ended it had been shown by then.
        let latest = self.clock.now();
        match reason {
            EndReason::Expired if body.was_put_back() => {}
            EndReason::Expired => {
                ensure!(status == Status::Expired, "R4: flow {serial} expired and is {status:?}");
                // The deadline of a flow that has ended is a nanosecond at least.
                let ended = latest.max(Timestamp::from_nanos(1));
                ensure!(deadline <= ended, "D2: flow {serial} expired before its deadline");
                ensure!(
                    !body.is_sheltered() || body.promised() <= deadline,
                    "D2: flow {serial} expired at {deadline:?}, and was refreshed until {:?}",
                    body.promised()
                );
            }
            EndReason::Cancelled => {
                ensure!(status == Status::Cancelled, "R4: flow {serial} was cancelled and is {status:?}");
                ensure!(!body.is_sheltered(), "S1: flow {serial} was cancelled by nobody");
            }
            other => anyhow::bail!("R4: flow {serial} was handed over for the reason {other:?}"),
        }
        Ok(())
    }

    /// Checks that a look-up of `key` at `now` may find `flow`.
    pub(super) fn found(
        &self,
        key: &FlowKey,
        matched: Option<&FlowKey>,
        flow: &FlowOf<T>,
        now: Timestamp,
    ) -> Result<()> {
        let body = flow.value();
        body.check(flow)?;
        let serial = body.serial();
        ensure!(matched == Some(key), "L1: looked {key} up and found flow {serial} under {matched:?}");
        // Read before asking whether it was put back, which comes first there.
        let state = flow.state().load();
        if body.is_sheltered() && !body.was_put_back() {
            ensure!(
                matches!(state.status, Status::Active | Status::Expired),
                "S1: flow {serial} was ended by nobody and is {:?}",
                state.status
            );
            let late = state.status == Status::Active && state.deadline <= now;
            ensure!(!late, "L2: flow {serial} was found at {now:?}, after its deadline {:?}", state.deadline);
        }
        Ok(())
    }
}
