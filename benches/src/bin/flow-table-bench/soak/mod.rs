//! The command `soak`. Threads call everything on a table for a given time, and check the results.
//!
//! Each thread draws operations from a sequence that its seed decides. All threads draw a few of the keys often.
//! They share one time, which each may see late. The outcome of each operation is checked at once (`act`). Some
//! flows never end (`stable`, `settle`). All threads look them up all the time, and they must be found, whatever
//! comes and goes beside them. Every few seconds all threads end, the table is checked as a whole against what
//! they did (`rest`), and the next round begins.
//!
//! Rounds take turns (`setting`) between a large table, a small one, whose buckets are full, and fresh ones. The
//! fresh ones are in hostile hands: values call the table when they are dropped, and some panic (`temper`), and
//! in some rounds a burst is forgotten. Each table is dropped in the end while handles are held.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use flow_table::{FlowKey, Table};

use self::arena::Arena;
use self::args::SoakArgs;
use self::body::Body;
use self::progress::Watch;
use self::setting::Setting;
use self::summary::{Seen, Summary};
use self::tally::Total;
use self::verdict::Verdict;
use self::world::Pulse;
use crate::backend::Backend;

mod act;
mod arena;
pub mod args;
mod body;
mod dice;
mod in_drops;
mod ledger;
mod number;
mod operation;
mod progress;
mod rest;
mod setting;
mod settle;
mod stable;
mod summary;
mod tally;
mod temper;
#[cfg(test)]
mod tests;
mod values;
mod verdict;
mod worker;
mod world;

/// Soaks. Writes lines of progress to `progress` and the summary to `out`. Returns `true` if no rule was violated.
///
/// # Errors
///
/// Returns an error if a thread hangs, or something cannot be written.
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
    let verdict = Arc::new(Verdict::default());
    let pulses: Arc<[Pulse]> = (0..args.threads).map(|_| Pulse::default()).collect();
    let arena = |round| {
        let seed = seed.wrapping_add(round);
        Arena::<T>::new(Setting::of_round(round, args.ordinary), args.flows, seed, &verdict, &pulses)
    };
    // The tables that last: small and large.
    let mut lasting = [arena(0), arena(1)];
    let mut total = Total::default();
    let mut watch = Watch::new(args.threads, progress);
    let mut rounds = 0;
    let end = args.operations.is_none().then(|| Instant::now() + args.minutes);
    let mut left = args.operations.map_or(u64::MAX, |operations| operations.div_ceil(args.threads) as u64);
    while !verdict.is_violated() && left > 0 && end.is_none_or(|end| Instant::now() < end) {
        let quota = if end.is_some() { left } else { left.min(4 * args.flows as u64) };
        let setting = Setting::of_round(rounds, args.ordinary);
        if setting.fresh {
            let mut arena = arena(rounds);
            arena.round(&mut watch, quota, end)?;
            watch.report(&arena.world)?;
            total += arena.total();
            // A table that broke a rule is not safe to drop.
            if verdict.is_violated() { std::mem::forget(arena) } else { arena.end()? }
        } else {
            let arena = &mut lasting[usize::from(!setting.small)];
            arena.round(&mut watch, quota, end)?;
            watch.report(&arena.world)?;
        }
        left -= if end.is_some() { 0 } else { quota };
        rounds += 1;
    }

    lasting.iter().for_each(|arena| total += arena.total());
    let seen = Seen {
        elapsed: watch.elapsed(),
        rounds,
        table_bytes: watch.most_bytes,
        resident_bytes: watch.most_resident,
    };
    for arena in lasting {
        if verdict.is_violated() { std::mem::forget(arena) } else { arena.end()? }
    }
    Ok((Summary::new(args, seed, &total, &seen), verdict.violation().map(str::to_owned)))
}
