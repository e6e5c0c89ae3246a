use std::sync::atomic::{AtomicUsize, Ordering};

use flow_table_api::{Stats, Table};

use super::gate::Gate;
use super::{History, Seed, Stage, Unexplained, explain};
use crate::Backend;
use crate::fixture::race;

/// Runs the histories of these seeds, all of one kind, one after the other on one table, and explains them.
///
/// # Errors
///
/// Returns the first history that has no explanation.
///
/// # Panics
///
/// Panics if the table panics or leaks a value.
pub fn run<B: Backend>(seeds: &[Seed]) -> Result<Tally, (Seed, Unexplained)> {
    let Some(first) = seeds.first() else { return Ok(Tally::default()) };
    let (threads, histories) = (first.profile().threads, record::<B>(seeds));
    let next = AtomicUsize::new(0);
    let parts = race(threads, |_| {
        let mut tally = Tally::default();
        loop {
            // Relaxed: the number alone is shared.
            let index = next.fetch_add(1, Ordering::Relaxed);
            let (Some(&seed), Some(history)) = (seeds.get(index), histories.get(index)) else { return Ok(tally) };
            explain(history).map_err(|why| (seed, why))?;
            tally.histories += 1;
            tally.operations += history.events.len();
            tally.concurrent += history.concurrent();
        }
    });
    parts.into_iter().try_fold(Tally::default(), |all, part: Result<Tally, _>| part.map(|part| all + part))
}

/// How much was recorded, and explained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Histories.
    pub histories: usize,
    /// Operations in them.
    pub operations: usize,
    /// Operations that ran at the same time as one of another thread.
    pub concurrent: usize,
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            histories: self.histories + other.histories,
            operations: self.operations + other.operations,
            concurrent: self.concurrent + other.concurrent,
        }
    }
}

fn record<B: Backend>(seeds: &[Seed]) -> Vec<History> {
    let stages: Vec<_> = seeds.iter().map(|&seed| Stage::<B>::new(seed)).collect();
    let (threads, table) = (seeds[0].profile().threads, stages[0].table());
    let gate = Gate::new(threads);
    let lanes = race(threads, |thread| {
        let _guard = gate.guard();
        let (mut histories, mut before, mut sizes) = (Vec::new(), Stats::new(), Vec::new());
        for (index, stage) in stages.iter().enumerate() {
            // The others wait at the next gate. The first history began as its table was made.
            if thread == 0 && index > 0 {
                stage.begin(&table);
            }
            if !gate.pass(2 * index + 1) {
                break;
            }
            stage.play(&table, thread);
            if !gate.pass(2 * index + 2) {
                break;
            }
            // The others wait at the next gate.
            if thread == 0 {
                histories.push(stage.end(&table, &before));
                before = table.stats();
                sizes.push(before.bytes);
            }
        }
        assert_no_growth(&sizes, seeds[0]);
        histories
    });
    lanes.into_iter().flatten().collect()
}

/// Asserts that a table at rest takes no more and more memory: what histories leave does not pile up.
fn assert_no_growth(sizes: &[usize], first: Seed) {
    /// For each flow of a history: some come to more of them at once than others.
    const LEEWAY: usize = 256;
    /// A table takes memory in pages, for more flows at once than before.
    const PAGES: usize = 1 << 17;
    let quarter = sizes.len() / 4;
    let (early, late) = (&sizes[..quarter], &sizes[sizes.len() - quarter..]);
    if let Some((most, least)) = early.iter().max().zip(late.iter().min()) {
        assert!(
            *least <= most + PAGES + LEEWAY * first.profile().capacity(),
            "at rest, {most} bytes became {least} within {} histories from {:x} on: {sizes:?}",
            sizes.len(),
            first.0
        );
    }
}
