//! Generated scripts over the whole table, under schedules that shuttle chooses, each execution's history checked
//! for a sequential explanation (`scripts/loom` runs this).
//!
//! A failure is told with a command that repeats it exactly: the same scripts under the same schedule.

#![cfg(flow_table_shuttle)]

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use flow_table_conformance::api::{Key, Stats, Value};
use flow_table_conformance::history::{PROFILES, Seed, Stage, explain};
use flow_table_conformance::{Backend, Setup};
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

/// Schedules of each kind for the same scripts.
const SCHEDULES_EACH: usize = 10;

/// Threads that are overtaken in a schedule with priorities: races of two or three steps.
const DEPTH: usize = 3;

struct UnderTest;

impl Backend for UnderTest {
    type Table<K: Key + Clone, V: Value> = flow_table_custom::FlowTable<K, V>;
}

/// One execution: all scripts of a seed at once.
fn execute(seed: Seed) {
    let stage = Arc::new(Stage::<UnderTest>::new(seed));
    let table = Arc::new(stage.table());
    let play = |thread| {
        let (stage, table) = (Arc::clone(&stage), Arc::clone(&table));
        shuttle::thread::spawn(move || stage.play(&table, thread))
    };
    let threads: Vec<_> = (0..seed.profile().threads).map(play).collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    table.verify().expect("each flow is in its place");
    if let Err(why) = explain(&stage.end(&table, &Stats::new())) {
        panic!("no explanation: {why}");
    }
}

/// Where the schedule of a failure goes.
fn folder(seed: Seed) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("schedules-{:x}-{}", seed.0, std::process::id()))
}

fn run(seed: Seed, scheduler: impl Scheduler + 'static, on_failure: FailurePersistence) {
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.failure_persistence = on_failure;
    Runner::new(scheduler, config).run(move || execute(seed));
}

/// Tells how to repeat a failure.
fn explore(seed: Seed, scheduler: impl Scheduler + 'static) {
    fs::create_dir_all(folder(seed)).expect("the target folder can be written to");
    let to_file = FailurePersistence::File(Some(folder(seed)));
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed, scheduler, to_file))) {
        let schedule = folder(seed).join("schedule000.txt");
        eprintln!("\nThe same again: scripts/loom replay {:x} {}", seed.0, schedule.display());
        resume_unwind(panic);
    }
    fs::remove_dir_all(folder(seed)).expect("it was made above");
}

/// From `FLOW_TABLE_HISTORY` and `FLOW_TABLE_SCHEDULE`, which `scripts/loom replay` sets.
fn named() -> Option<(Seed, PathBuf)> {
    let seed = env::var("FLOW_TABLE_HISTORY").ok()?;
    let schedule = env::var("FLOW_TABLE_SCHEDULE").ok()?;
    Some((Seed(u64::from_str_radix(&seed, 16).expect("hexadecimal digits")), schedule.into()))
}

#[test]
fn histories_under_schedules_can_be_explained() {
    if let Some((seed, schedule)) = named() {
        let scheduler = ReplayScheduler::new_from_file(schedule).expect("the file of a failure");
        return run(seed, scheduler, FailurePersistence::None);
    }
    let schedules: usize = env::var("FLOW_TABLE_SCHEDULES").map_or(500, |count| count.parse().expect("a number"));
    let small = (0..PROFILES.len()).filter(|&profile| PROFILES[profile].capacity() <= 24);
    let kinds: Vec<_> = small.flat_map(|profile| Setup::ALL.map(|setup| (setup, profile))).collect();
    let scripts = schedules.div_ceil(SCHEDULES_EACH);
    for number in 0..scripts {
        let (setup, profile) = kinds[number % kinds.len()];
        let seed = Seed::new(setup, profile, number as u64);
        explore(seed, RandomScheduler::new(SCHEDULES_EACH));
        explore(seed, PctScheduler::new(DEPTH, SCHEDULES_EACH));
    }
    println!("{} schedules of {scripts} scripts explored", 2 * scripts * SCHEDULES_EACH);
}
