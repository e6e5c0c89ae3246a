use std::fmt::Write as _;
use std::time::Duration;

use flow_table_api::{Borrowed, Budget, Burst, Flow, Status, Table, TableConfig, Timestamp};

use super::Step;
use crate::actor::Actor;
use crate::backend::{OpenBurst, TestFlow};
use crate::fixture::{Ledger, TestKey};
use crate::model::{FlowId, Model, Op, Outcome, Sight};
use crate::{Backend, TestTable};

type Borrows<'b, B> = Vec<Borrowed<'b, TestFlow<B>>>;

/// Where a table and the model disagree, in words, with the steps before.
#[derive(Clone, Debug)]
pub struct Disagreement(pub String);

type Checked = Result<(), Disagreement>;

/// The largest number of bursts that are open within each other.
const DEPTH: usize = 3;
/// A run ends early if the table may be in more states than this. Each choice that cannot be seen doubles their
/// number.
const WORLDS: usize = 64;

/// Runs steps on a table and on the model, and compares the two after each.
pub struct Driver<'t, B: Backend> {
    pub(super) actor: Actor<'t, B>,
    /// Every state in which a table with these outcomes may be.
    worlds: Vec<Model>,
    pub(super) now: Timestamp,
    depth: usize,
    way: Vec<(Op, Outcome)>,
}

impl<'t, B: Backend> Driver<'t, B> {
    /// Runs `steps` on a new table. In the end either the handles are dropped first, and the table must come to
    /// rest, or the table is dropped first, while the handles are held.
    ///
    /// # Errors
    ///
    /// Returns the first disagreement.
    pub fn run(config: TableConfig, steps: &[Step]) -> Result<(), Disagreement> {
        let worlds = vec![Model::new(config.capacity())];
        let table = TestTable::<B>::with_config(config);
        let ledger = Ledger::default();
        let mut driver = Driver::<B> {
            actor: Actor::new(&table, ledger.clone()),
            worlds,
            now: Timestamp::from_secs(10),
            depth: 0,
            way: Vec::new(),
        };
        driver.frame(&mut steps.iter(), None)?;
        let Driver { actor: Actor { handles, .. }, way, .. } = driver;
        let (rests, way) = (way.len().is_multiple_of(2), in_words(&way));
        if rests {
            drop(handles);
            return at_rest::<B>(&table, &ledger).map_err(|why| Disagreement(format!("{way}{why}")));
        }
        let before: Vec<_> = handles.iter().map(|flow| flow.status()).collect();
        drop(table);
        for (flow, before) in handles.iter().zip(before) {
            let right = if before == Status::Active { Status::Detached } else { before };
            if flow.status() != right || flow.cancel() || flow.refresh(Timestamp::ZERO) {
                return Err(Disagreement(format!("{way}drop of the table: {flow:?} was {before:?}")));
            }
        }
        drop(handles);
        let faults = ledger.faults();
        if faults.is_empty() { Ok(()) } else { Err(Disagreement(format!("{way}drop of all: {faults:?}"))) }
    }

    /// Runs steps until the burst is closed, or all are done.
    fn frame(&mut self, steps: &mut std::slice::Iter<'_, Step>, burst: Option<&OpenBurst<'t, B>>) -> Checked {
        let mut borrows: Borrows<'_, B> = Vec::new();
        while self.worlds.len() <= WORLDS
            && let Some(step) = steps.next()
        {
            match (step, burst) {
                (Step::OpenBurst, _) if self.depth < DEPTH => {
                    let inner = self.actor.table.burst(self.now);
                    self.depth += 1;
                    self.check(Op::OpenBurst { now: self.now }, Outcome::Done)?;
                    self.frame(steps, Some(&inner))?;
                    drop(inner);
                    self.depth -= 1;
                    self.check(Op::CloseBurst, Outcome::Done)?;
                }
                (Step::CloseBurst, Some(_)) => break,
                (Step::BurstGet(key), Some(burst)) => {
                    let found = burst.get(&TestKey::new(*key));
                    self.borrowed(*key, burst, found, &mut borrows)?;
                }
                (Step::BurstGetBatch(keys), Some(burst)) => {
                    let asked: Vec<_> = keys.iter().copied().map(TestKey::new).collect();
                    let mut found = Vec::new();
                    burst.get_batch(&asked, &mut found);
                    for (key, found) in keys.iter().zip(found) {
                        self.borrowed(*key, burst, found, &mut borrows)?;
                    }
                }
                (Step::BurstHandle(pick), Some(burst)) if !borrows.is_empty() => {
                    let borrowed = borrows[pick % borrows.len()];
                    let handle = burst.handle(borrowed);
                    let flow = FlowId(borrowed.value().serial());
                    self.check(Op::BurstHandle { flow }, Outcome::Granted(handle.is_some()))?;
                    self.actor.handles.extend(handle);
                }
                _ => self.execute(step)?,
            }
            self.compare()?;
            for flow in &borrows {
                if self.actor.ledger.is_dropped(flow.value().serial()) {
                    return Err(self.disagreement("a borrowed value was dropped"));
                }
            }
        }
        Ok(())
    }

    fn borrowed<'b>(
        &mut self,
        key: u64,
        burst: &'b OpenBurst<'t, B>,
        found: Option<Borrowed<'b, TestFlow<B>>>,
        borrows: &mut Borrows<'b, B>,
    ) -> Checked {
        let sight = found.map(|flow| Sight {
            flow: FlowId(flow.value().serial()),
            direction: flow.direction(),
            status: flow.status(),
        });
        borrows.extend(found);
        self.check(Op::BurstGet { key, now: burst.now() }, Outcome::Found(sight))
    }

    /// The model takes the step that the table took; then both must look alike.
    pub(super) fn check(&mut self, op: Op, seen: Outcome) -> Checked {
        self.way.push((op, seen.clone()));
        let mut after: Vec<Model> = Vec::new();
        for world in self.worlds.iter().flat_map(|world| world.step(&op, &seen)) {
            if !after.contains(&world) {
                after.push(world);
            }
        }
        if after.is_empty() {
            let expected: Vec<_> = self.worlds.iter().map(|world| world.expected(&op, &seen)).collect();
            return Err(self.disagreement(&format!("the model allows {expected:?}")));
        }
        self.worlds = after;
        Ok(())
    }

    /// Compares what can be seen of the table and its flows.
    pub(super) fn compare(&mut self) -> Checked {
        let view = self.actor.view();
        let verdicts: Vec<_> = self.worlds.iter().map(|world| world.agrees(&view)).collect();
        if let Some(Err(why)) = verdicts.iter().find(|_| verdicts.iter().all(Result::is_err)) {
            return Err(self.disagreement(&format!("{why}, but seen was {view:?}")));
        }
        let mut agree = verdicts.iter().map(Result::is_ok);
        self.worlds.retain(|_| agree.next() == Some(true));
        Ok(())
    }

    pub(super) fn disagreement(&self, why: &str) -> Disagreement {
        Disagreement(in_words(&self.way) + why)
    }

    pub(super) fn later(&self, nanos: i64) -> Timestamp {
        let by = Duration::from_nanos(nanos.unsigned_abs());
        if nanos < 0 { self.now.saturating_sub(by) } else { self.now + by }
    }
}

/// Has a table that nobody holds anything of any more come to rest: nothing is in it, and nothing waits.
fn at_rest<B: Backend>(table: &TestTable<B>, ledger: &Ledger) -> Result<(), String> {
    table.reap(Timestamp::MAX, Budget::UNLIMITED);
    let (rest, faults) = (table.stats(), ledger.faults());
    let still = (rest.flows, rest.dying, rest.waiting) == (0, 0, 0) && faults.is_empty();
    still.then_some(()).ok_or_else(|| format!("at rest: {faults:?}, {rest:?}"))
}

fn in_words(way: &[(Op, Outcome)]) -> String {
    way.iter().fold(String::new(), |mut text, (op, seen)| {
        let _ = writeln!(text, "{op:?} -> {seen:?}");
        text
    })
}
