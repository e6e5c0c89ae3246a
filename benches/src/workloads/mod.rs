//! What each workload does. Every run checks its result, so that no candidate wins by failing.

use crate::Workload;
use crate::data::BURST;
use crate::lane::{Lane, Pace};
use crate::meter::Meter;
use crate::subject::Subject;

mod churn;
mod flood;
mod mix;
mod nat;
mod standing;
mod whole;

/// How many flows a table for the workload must take besides those that stay. Threads are not in step, so one may
/// have inserted a whole run's flows before another has expired its own.
pub(crate) fn capacity(workload: Workload, flows: usize) -> usize {
    match workload {
        Workload::Flood => flows,
        Workload::Churn | Workload::PacketMix | Workload::NatPair => 2 * flows + (1 << 22),
        _ => flows,
    }
}

/// Inserts this thread's share of the flows that are there before the first run.
pub(crate) fn fill<S: Subject>(workload: Workload, subject: &S, lane: &mut Lane) {
    match workload {
        Workload::Churn => churn::fill(subject, lane),
        Workload::PacketMix => mix::fill(subject, lane),
        Workload::Flood => flood::fill(subject, lane),
        Workload::NatPair => nat::fill(subject, lane),
        Workload::ReapStorm | Workload::Grow => {}
        _ => standing::fill(subject, lane),
    }
}

/// Prepares the next run of `operations` operations.
pub(crate) fn prepare<S: Subject>(workload: Workload, subject: &S, lane: &mut Lane, operations: usize) {
    match workload {
        Workload::LookupMiss | Workload::LookupMissBatch => standing::prepare_misses(lane, operations),
        Workload::LookupZipf => standing::prepare_zipf(lane, operations),
        Workload::Churn => churn::prepare(lane, operations),
        Workload::PacketMix => mix::prepare(lane, operations),
        Workload::Flood => flood::prepare(lane, operations),
        Workload::NatPair => nat::prepare(lane, operations),
        Workload::ReapStorm => whole::gather_storm(subject, lane),
        Workload::ReapIdle | Workload::Iterate | Workload::Grow => lane.keys.clear(),
        _ => standing::prepare_hits(lane, operations),
    }
}

/// Runs `operations` operations.
#[inline]
pub(crate) fn run<S: Subject, M: Meter>(
    workload: Workload,
    subject: &S,
    lane: &mut Lane,
    operations: usize,
    meter: &mut M,
) {
    match workload {
        Workload::LookupHit | Workload::LookupZipf => standing::hits(subject, lane, meter),
        Workload::LookupHitBatch => standing::hit_batches(subject, lane, meter),
        Workload::BorrowHit => standing::borrows(subject, lane, meter),
        Workload::BorrowHitBatch => standing::borrow_batches(subject, lane, meter),
        Workload::LookupMiss => standing::misses(subject, lane, meter),
        Workload::LookupMissBatch => standing::miss_batches(subject, lane, meter),
        Workload::Churn => churn::run(subject, lane, meter),
        Workload::PacketMix => mix::run(subject, lane, meter),
        Workload::ReapStorm => whole::storm(subject, lane),
        Workload::ReapIdle => whole::idle(subject, lane, operations, meter),
        Workload::Grow => whole::grow(subject, lane, meter),
        Workload::Flood => flood::run(subject, lane, meter),
        Workload::NatPair => nat::run(subject, lane, meter),
        Workload::Iterate => whole::iterate(subject, lane),
    }
}

/// Checks that the table has as many flows as it should. Call it when no thread runs any more.
pub(crate) fn check<S: Subject>(workload: Workload, subject: &S, flows: usize, threads: usize) {
    let held = subject.held();
    // Those that timers may have left.
    let late = threads * Pace::of(flows).flows_in(S::LATE);
    match workload {
        Workload::ReapStorm => assert_eq!(held, 0, "{workload}: everything was due"),
        Workload::Flood => assert!(held <= flows, "{workload}: the capacity holds"),
        // Some thread's flows would be another one's to expire.
        _ if !flows.is_multiple_of(threads) && !workload.is_standing() => {}
        Workload::PacketMix => {
            let expected = flows / 3..=flows + BURST * threads + late;
            assert!(expected.contains(&held), "{workload}: {held} of {flows} live");
        }
        _ => {
            assert!((flows..=flows + late).contains(&held), "{workload}: {held} instead of {flows}");
        }
    }
}
