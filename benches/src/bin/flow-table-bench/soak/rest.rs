use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Result, ensure};
use flow_table::{Budget, Clock, Flow, FlowKey, FlowRef, NewFlow, OnExpiry, Status, Table, Timeout, Timestamp};

use super::body::Body;
use super::ledger::Ledger;
use super::number::Number;
use super::tally::Tally;
use super::values::Values;
use super::worker::{HANDLES, Worker};
use super::world::{RefOf, World};

/// Compares the whole table with what the threads did, while nobody uses it. This hands over flows that are due,
/// and adds them to `tally`, which counts what is done here in all rounds.
pub(super) fn check<T: Table<FlowKey, Body>>(
    world: &World<T>,
    workers: &[Worker<T>],
    tally: &mut Tally,
    limit: &Limit,
) -> Result<()> {
    let (table, now) = (&world.table, world.clock.now());
    table.set_capacity(world.flows);
    let mut ended = Vec::new();
    let report = table.reap_with(now, Budget::UNLIMITED, |flow| ended.push(flow));
    ensure!(!report.more, "R1: {report:?} without a limit");
    ended.iter().try_for_each(|ended| world.handed_over(ended, tally))?;
    drop(ended);

    let active = table.snapshot();
    let mut sum = *tally;
    workers.iter().for_each(|worker| sum += worker.tally);
    sum += *world.in_drops();
    counts(world, active.len(), &sum)?;
    let holders = holders(&active, now)?;
    look_ups(world, &active, &holders, now)?;
    let next = table.next_deadline();
    let earliest = active.iter().map(|flow| flow.deadline()).min();
    ensure!(next.is_some() == earliest.is_some() && next <= earliest, "R6: {next:?} is after {earliest:?}");

    let waiting = world.waiting();
    let held: Vec<_> = workers.iter().flat_map(|worker| &worker.held).chain(&waiting).collect();
    limit.check(table.memory(), held.len())?;
    values(world, active.iter().chain(held), sum.made, spared(world, workers))
}

/// What a table may take at rest, in bytes.
pub(super) struct Limit {
    /// Full, and fresh.
    full: usize,
}

impl Limit {
    /// What a table keeps in reserve, at most.
    const RESERVE: usize = 1 << 20;
    /// What a flow that somebody holds may keep from going back.
    const HELD: usize = 4096;

    /// Fills another table like the world's.
    pub(super) fn measure<T: Table<FlowKey, Body>>(world: &World<T>, seed: u64) -> Self {
        let table = T::with_config(world.setting.config(world.flows, seed));
        let ledger = Arc::new(Ledger::new(Arc::clone(&world.verdict)));
        for (serial, pair) in world.numbers.chunks_exact(2).take(world.flows).enumerate() {
            let [forward, reply] = [pair[0], pair[1]];
            let body = Body::new(serial as u64, forward, Some(reply), &ledger);
            let flow = NewFlow::new(forward.key(), body).reply(reply.key()).timeout(Timeout::NEVER);
            drop(table.insert(flow, Timestamp::ZERO));
        }
        Self { full: table.memory() }
    }

    fn check(&self, bytes: usize, held: usize) -> Result<()> {
        let limit = 2 * self.full + Self::RESERVE + held * Self::HELD;
        ensure!(
            bytes <= limit,
            "C3: {bytes} bytes at rest, and a full table takes {}; {held} flows are held",
            self.full
        );
        Ok(())
    }
}

/// The values that need not be dropped because a burst was forgotten: those of flows that were there then, and
/// those made afterwards.
pub(super) fn spared<T: Table<FlowKey, Body>>(world: &World<T>, workers: &[Worker<T>]) -> u64 {
    if !world.setting.forgets_a_burst {
        return 0;
    }
    let afterwards: u64 = workers.iter().map(|worker| worker.tally.made.count - worker.made_before_the_end).sum();
    let held = workers.len() * HANDLES + world.exchange.len();
    (world.flows + held) as u64 + afterwards + world.in_drops().made.count
}

/// Checks that the table's counters agree with what was done.
fn counts<T: Table<FlowKey, Body>>(world: &World<T>, active: usize, did: &Tally) -> Result<()> {
    let (table, stats) = (&world.table, world.table.stats());
    ensure!(table.len() == active && stats.flows == active, "C1: {active} flows active, and {stats:?}");
    ensure!(stats.dying == 0, "R1: flows that a reap has left at rest: {stats:?}");
    let may_wait = world.setting.forgets_a_burst;
    ensure!(stats.waiting == 0 || may_wait, "U2: values wait, and no burst is open: {stats:?}");
    let ended = stats.ended;
    ensure!(stats.inserts - ended.total() == active as u64, "S3: {active} flows active, and {stats:?}");
    // A thread whose operation panicked did not learn what it did.
    if world.setting.hostile {
        return Ok(());
    }
    for (what, told, counted) in [
        ("inserts", stats.inserts, did.inserted),
        ("refusals", stats.refusals, did.refused),
        ("cancelled", ended.cancelled, did.cancelled),
        ("removed", ended.removed, did.removed),
        ("replaced", ended.replaced, did.replaced),
        ("evicted", ended.evicted, did.evicted),
    ] {
        ensure!(told == counted, "S3: the table counts {told} {what}, and its callers {counted}");
    }
    // A flow put back before its end was handed over is not handed over for it; nothing else makes a difference.
    for (what, told, counted, forgiven) in [
        ("expired", ended.expired, did.expired_handed_over, did.reinserted),
        ("cancelled", ended.cancelled, did.cancelled_handed_over, 0),
    ] {
        ensure!(
            counted <= told && told <= counted + forgiven,
            "R4: {told} flows {what}, and {counted} were handed over, with {} put back",
            did.reinserted
        );
    }
    Ok(())
}

/// Returns which flow has which key.
fn holders<R: FlowRef<FlowKey, Body>>(active: &[R], now: Timestamp) -> Result<HashMap<Number, usize>> {
    let mut holders = HashMap::with_capacity(2 * active.len());
    for (place, flow) in active.iter().enumerate() {
        let body = flow.value();
        body.check(&**flow)?;
        ensure!(flow.is_live(now), "R1: flow {} is {:?} after a reap", body.serial(), flow.state().load());
        for number in [Some(body.forward()), body.reply()].into_iter().flatten() {
            let other = holders.insert(number, place);
            ensure!(other.is_none(), "I4: two flows have the key {}", number.key());
        }
    }
    Ok(holders)
}

/// Checks that each key finds its flow, and that no other key finds a live flow.
fn look_ups<T: Table<FlowKey, Body>>(
    world: &World<T>,
    active: &[RefOf<T>],
    holders: &HashMap<Number, usize>,
    now: Timestamp,
) -> Result<()> {
    for &number in &world.numbers {
        let key = number.key();
        let found = world.table.lookup(&key, now);
        if let Some(flow) = &found {
            world.found(&key, flow.key_for(flow.direction()), flow, now)?;
        }
        match (holders.get(&number), found) {
            (Some(&holder), found) => {
                let holder = &active[holder];
                ensure!(
                    found.as_ref() == Some(holder),
                    "L1: {key} does not find flow {}, which is live",
                    holder.value().serial()
                );
            }
            (None, Some(flow)) => {
                let kept = flow.status() == Status::Expired && flow.on_expiry() == OnExpiry::KeepWhileReferenced;
                ensure!(kept, "L1: {key} finds flow {}, {:?}", flow.value().serial(), flow.status());
            }
            (None, None) => {}
        }
    }
    Ok(())
}

/// The values that were made and not dropped are those in the table and those held, no fewer, and at most
/// `spared` more.
fn values<'r, T: Table<FlowKey, Body> + 'r>(
    world: &World<T>,
    present: impl Iterator<Item = &'r RefOf<T>>,
    made: Values,
    spared: u64,
) -> Result<()> {
    let mut serials: Vec<u64> = present.map(|flow| flow.value().serial()).collect();
    serials.sort_unstable();
    serials.dedup();
    let mut present = Values::default();
    serials.into_iter().for_each(|serial| present.add(serial));
    let dropped = world.ledger.all_dropped();
    ensure!(
        dropped.and(present).are(made, spared),
        "V1: {} values made, {} dropped, {} in the table or held",
        made.count,
        dropped.count,
        present.count
    );
    Ok(())
}

/// Drops the table while handles to its flows are `held`, then these. At most `spared` values are not dropped.
pub(super) fn end<T: Table<FlowKey, Body>>(
    world: World<T>,
    held: Vec<Vec<RefOf<T>>>,
    made: Values,
    spared: u64,
) -> Result<()> {
    let waiting = world.waiting();
    let World { table, ledger, exchange, .. } = world;
    drop(exchange);
    ledger.forgive();
    drop(table);
    for flow in held.into_iter().flatten().chain(waiting) {
        let body = flow.value();
        body.check(&*flow)?;
        ensure!(flow.status() != Status::Active, "V5: flow {} is active in no table", body.serial());
        ensure!(!flow.cancel(), "V5: flow {} was cancelled in no table", body.serial());
    }
    let dropped = ledger.all_dropped();
    ensure!(dropped.are(made, spared), "V1: {} values made and {} dropped in the end", made.count, dropped.count);
    Ok(())
}
