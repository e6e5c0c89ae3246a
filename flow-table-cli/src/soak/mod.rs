//! The command `soak`: threads that do everything to one table for a given time, and check what comes of it.
//!
//! Each thread draws operations from a sequence that its seed decides, over keys of which some are everybody's, with a time
//! that all share and that each may see late. What each operation gives is checked at once (`act`). Every few seconds
//! all threads end, the table is checked as a whole against what they did (`rest`), and new threads go on. In
//! the end the table is dropped while handles are held.

use std::io::Write;
use std::panic::resume_unwind;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use flow_table::{FlowKey, Table};

use self::args::SoakArgs;
use self::body::Body;
use self::progress::Watch;
use self::summary::{Seen, Summary};
use self::tally::Tally;
use self::worker::Worker;
use self::world::World;
use crate::backend::Backend;

mod act;
pub mod args;
mod body;
mod dice;
mod ledger;
mod number;
mod operation;
mod progress;
mod rest;
mod summary;
mod tally;
mod verdict;
mod worker;
mod world;

/// How long a round takes, where it is not counted in operations.
const ROUND: Duration = Duration::from_secs(5);

/// Soaks, with lines of progress to `progress` and the summary to `out`; whether no rule was violated.
///
/// # Errors
///
/// If a thread hangs, or something cannot be written.
pub fn run(args: &SoakArgs, out: &mut impl Write, progress: &mut impl Write) -> Result<bool> {
    let seed = args.seed.unwrap_or_else(|| std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0u8));
    let (summary, violation) = match args.backend {
        Backend::Dashmap => soak::<flow_table::dashmap::FlowTable<_, _>>(args, seed, progress)?,
        Backend::Custom => soak::<flow_table::custom::FlowTable<_, _>>(args, seed, progress)?,
    };
    let summary = summary.violated(violation.clone());
    if args.json {
        summary.json(out)?
    } else {
        summary.text(out)?
    }
    out.flush()?;
    Ok(violation.is_none())
}

fn soak<T: Table<FlowKey, Body> + 'static>(
    args: &SoakArgs,
    seed: u64,
    progress: &mut impl Write,
) -> Result<(Summary, Option<String>)> {
    let world = Arc::new(World::<T>::new(args.flows, args.threads, seed));
    let mut workers: Vec<_> = (0..args.threads).map(|thread| Worker::new(&world, thread, seed)).collect();
    let mut watch = Watch::new(args.threads, progress);
    let (mut at_rest, mut rounds) = (Tally::default(), 0);
    let end = args.operations.is_none().then(|| Instant::now() + args.minutes);
    let mut left = args.operations.map_or(u64::MAX, |operations| operations.div_ceil(args.threads) as u64);
    while !world.verdict.is_violated() && left > 0 && end.is_none_or(|end| Instant::now() < end) {
        let quota = if end.is_some() { left } else { left.min(4 * args.flows as u64) };
        workers = round(&world, workers, &mut watch, quota, end)?;
        left -= if end.is_some() { 0 } else { quota };
        rounds += 1;
        if let Err(violation) = rest::check(&world, &workers, &mut at_rest) {
            world.verdict.violated(violation);
        }
    }
    watch.report(&world)?;

    let mut tally = at_rest;
    workers.iter().for_each(|worker| tally += worker.tally);
    let seen = Seen {
        elapsed: watch.elapsed(),
        rounds,
        table_bytes: watch.most_bytes,
        resident_bytes: watch.most_resident,
    };
    let summary = Summary::new(args, seed, &tally, world.table.stats(), &seen);
    if let Some(violation) = world.verdict.violation() {
        return Ok((summary, Some(violation.to_owned())));
    }
    let held = workers.into_iter().map(Worker::into_held).collect();
    let world = Arc::into_inner(world).context("a thread is still there")?;
    let violation = rest::end(world, held, tally.made).err();
    Ok((summary, violation.map(|violation| violation.to_string())))
}

/// All threads work until the round is over.
fn round<T: Table<FlowKey, Body> + 'static>(
    world: &Arc<World<T>>,
    workers: Vec<Worker<T>>,
    watch: &mut Watch<'_, impl Write>,
    quota: u64,
    end: Option<Instant>,
) -> Result<Vec<Worker<T>>> {
    // Relaxed, here and below: starting the threads orders this before them.
    world.over.store(false, Ordering::Relaxed);
    watch.begin();
    let (sender, done) = mpsc::channel::<()>();
    let start = |mut worker: Worker<T>| {
        let alive = sender.clone();
        thread::spawn(move || {
            let _alive = alive;
            worker.round(quota);
            worker
        })
    };
    let threads: Vec<_> = workers.into_iter().map(start).collect();
    drop(sender);
    let end = end.map(|end| end.min(Instant::now() + ROUND));
    if !watch.wait(world, &done, end)? {
        world.over.store(true, Ordering::Relaxed);
        watch.wait(world, &done, None)?;
    }
    Ok(threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect())
}
