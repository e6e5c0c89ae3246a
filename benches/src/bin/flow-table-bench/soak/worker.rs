use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use flow_table::{Clock, Flow, FlowKey, FlowSpec, NewFlow, OnExpiry, Table, Timeout, Timestamp};

use super::body::Body;
use super::dice::Dice;
use super::number::Number;
use super::operation::{Mix, Operation};
use super::tally::Tally;
use super::temper::Outburst;
use super::world::{RefOf, WeakOf, World};

/// What a thread may hold.
pub(super) const HANDLES: usize = 256;
const WEAK_HANDLES: usize = 64;
const SECOND: Duration = Duration::from_secs(1);
/// Bursts within bursts.
const DEPTH: usize = 3;
/// What a thread does after a burst was forgotten.
const AFTER_THE_BURST: usize = 64;

/// What a thread has, from round to round. Each round runs it on a new thread.
pub(super) struct Worker<T: Table<FlowKey, Body> + 'static> {
    thread: usize,
    pub(super) world: Arc<World<T>>,
    pub(super) dice: Dice,
    pub(super) tally: Tally,
    pub(super) held: Vec<RefOf<T>>,
    pub(super) weak: Vec<WeakOf<T>>,
    mix: Mix,
    /// How far the time moves at once, at most, in nanoseconds.
    pub(super) step: usize,
    /// How long flows last.
    usual: Duration,
    pub(super) open_bursts: usize,
    /// Values that it had made when a burst was about to be forgotten.
    pub(super) made_before_the_end: u64,
}

impl<T: Table<FlowKey, Body> + 'static> Worker<T> {
    pub(super) fn new(world: &Arc<World<T>>, thread: usize, seed: u64) -> Self {
        let mut dice = Dice::new(seed, thread);
        Self {
            thread,
            world: Arc::clone(world),
            mix: Mix::new(&mut dice, world.flows),
            dice,
            tally: Tally::default(),
            held: Vec::new(),
            weak: Vec::new(),
            step: 1,
            usual: SECOND,
            open_bursts: 0,
            made_before_the_end: 0,
        }
    }

    /// Works until the round is over, for `quota` operations at most.
    pub(super) fn round(&mut self, quota: u64) {
        self.mix = Mix::new(&mut self.dice, self.world.flows);
        self.step = 10usize.pow(3 + self.dice.below(5) as u32);
        // In a small table flows also come and go fast.
        self.usual = if self.world.setting.small { SECOND / [1, 30, 1000][self.dice.below(3)] } else { SECOND };
        let last = self.tally.operations().saturating_add(quota);
        while self.tally.operations() < last && self.world.goes_on() {
            self.act_whatever_comes();
        }
        if self.world.setting.forgets_a_burst {
            self.world.meeting.wait();
            self.made_before_the_end = self.tally.made.count;
            if self.thread == 0 {
                self.forget_a_burst();
            }
            for _ in 0..AFTER_THE_BURST {
                self.act_whatever_comes();
            }
        }
    }

    /// Does something, also if a value panics, and reports what is wrong.
    fn act_whatever_comes(&mut self) {
        match catch_unwind(AssertUnwindSafe(|| self.act())) {
            Ok(Ok(())) => {}
            Ok(Err(violation)) => self.world.verdict.violated(violation),
            Err(panic) if panic.is::<Outburst>() => self.open_bursts = 0,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Does something, and checks what comes of it.
    pub(super) fn act(&mut self) -> Result<()> {
        let operation = match self.mix.draw(&mut self.dice) {
            Operation::Burst if self.open_bursts == DEPTH => Operation::Lookup,
            operation => operation,
        };
        self.world.pulses[self.thread].begin(operation);
        self.tally.did(operation);
        match operation {
            Operation::Lookup => self.lookup(),
            Operation::LookupBatch => self.lookup_batch(),
            Operation::Burst => self.burst(),
            Operation::Refresh => self.refresh(),
            Operation::Insert => self.insert(),
            Operation::InsertIfAbsent => self.insert_if_absent(),
            Operation::GetOrInsertWith => self.get_or_insert_with(),
            Operation::Reinsert => self.reinsert(),
            Operation::SetDeadline => self.set_deadline(),
            Operation::SetTimeout => self.set_timeout(),
            Operation::Cancel => self.cancel(),
            Operation::Remove => self.remove(),
            Operation::RemoveFlow => self.remove_flow(),
            Operation::Reap => self.reap(),
            Operation::ReapLocal => self.reap_local(),
            Operation::Retain => self.retain(),
            Operation::ForEach => self.for_each(),
            Operation::Snapshot => self.snapshot(),
            Operation::SetCapacity => self.set_capacity(),
            Operation::ShrinkToFit => self.shrink_to_fit(),
            Operation::Stats => self.stats(),
            Operation::Stable => self.stable(),
            Operation::Exchange => self.exchange(),
            Operation::Drop => self.let_go(),
            Operation::Weak => self.weak(),
            Operation::Advance => self.advance(),
        }
    }

    /// The time; sometimes an earlier one, as on a processor whose clock lags behind.
    pub(super) fn now(&mut self) -> Timestamp {
        let now = self.world.clock.now();
        let lag = match self.dice.below(1024) {
            0 => Duration::from_secs(3600),
            1..64 => Duration::from_nanos(self.dice.below(self.step) as u64),
            _ => Duration::ZERO,
        };
        now.saturating_sub(lag)
    }

    /// Some key; one in four times one of the few that everybody is at.
    pub(super) fn number(&mut self) -> Number {
        const FEW: usize = 64;
        let draw = if self.dice.one_in(4) { self.dice.below(FEW) } else { self.dice.below(usize::MAX) };
        self.world.some_number(draw)
    }

    /// Some key that is sheltered, or that is not, as `number`.
    fn number_like(&mut self, number: Number) -> Number {
        loop {
            let other = self.number();
            if other.is_sheltered() == number.is_sheltered() {
                return other;
            }
        }
    }

    /// A flow under `forward`, every third with a reply key besides.
    pub(super) fn new_flow(&mut self, forward: Number) -> NewFlow<FlowKey, Body> {
        let (spec, reply) = self.new_spec(forward);
        spec.value(self.new_body(forward, reply))
    }

    /// A flow without its value, and the number of its reply key if it has one.
    pub(super) fn new_spec(&mut self, forward: Number) -> (FlowSpec<FlowKey>, Option<Number>) {
        let reply = self.dice.one_in(3).then(|| self.number_like(forward));
        let on_expiry = if self.dice.one_in(2) { OnExpiry::KeepWhileReferenced } else { OnExpiry::Remove };
        let spec = FlowSpec::new(forward.key()).timeout(self.timeout(forward)).on_expiry(on_expiry);
        match reply {
            Some(reply) => (spec.reply(reply.key()), Some(reply)),
            None => (spec, None),
        }
    }

    pub(super) fn new_body(&mut self, forward: Number, reply: Option<Number>) -> Body {
        let serial = (self.thread as u64) << 40 | self.tally.made.count;
        self.tally.made.add(serial);
        Body::new(serial, forward, reply, &self.world.ledger)
    }

    /// Mostly of the round's usual length. Never for ever where nobody ends a flow.
    pub(super) fn timeout(&mut self, key: Number) -> Timeout {
        let usual = self.usual;
        match self.dice.below(16) {
            0 => Timeout::ZERO,
            1 if !key.is_sheltered() => Timeout::NEVER,
            1 | 2 => (100 * usual).into(),
            3 => Duration::from_nanos(self.dice.below(1000) as u64).into(),
            4..8 => usual.into(),
            _ => (usual * self.dice.below(10_000) as u32 / 1000).into(),
        }
    }

    /// Some flow that this thread holds.
    pub(super) fn some(&mut self) -> Option<RefOf<T>> {
        self.dice.pick(&self.held).cloned()
    }

    /// Some flow that this thread holds and may end.
    pub(super) fn some_unsheltered(&mut self) -> Option<RefOf<T>> {
        self.some().filter(|flow| !flow.value().is_sheltered())
    }

    /// Keeps the handle for a while, and lets go of another if there are too many.
    pub(super) fn hold(&mut self, flow: RefOf<T>) {
        if self.held.len() < HANDLES {
            self.held.push(flow);
        } else {
            let place = self.dice.below(HANDLES);
            self.held[place] = flow;
        }
    }

    pub(super) fn hold_weak(&mut self, flow: WeakOf<T>) {
        if self.weak.len() == WEAK_HANDLES {
            let place = self.dice.below(WEAK_HANDLES);
            self.weak.swap_remove(place);
        }
        self.weak.push(flow);
    }

    /// The handles that are left.
    pub(super) fn into_held(self) -> Vec<RefOf<T>> {
        self.held
    }
}
