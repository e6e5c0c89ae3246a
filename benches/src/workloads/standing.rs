//! Look-ups in a table whose flows stay.

use std::hint::black_box;
use std::time::Duration;

use flow_table::Timestamp;

use crate::data::{BURST, Key, key, scatter};
use crate::lane::{Lane, Pace};
use crate::meter::Meter;
use crate::subject::Subject;

/// Longer than all measurements together, on the workloads' clock.
const TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
/// Ten million packets a second.
const PACKET: Duration = Duration::from_nanos(100);

pub(super) fn fill<S: Subject>(subject: &S, lane: &mut Lane) {
    let pace = Pace::of(lane.flows as usize);
    for number in lane.share() {
        subject.insert(key(number), TIMEOUT.into(), pace.time(number));
        subject.pause_after(number / lane.turn.threads, pace.time(number));
    }
    lane.now = pace.time(lane.flows);
    // In a virtual machine, memory that has just been filled can cost microseconds when it is written for the
    // first time after that.
    for number in lane.share() {
        subject.hit(&key(number), lane.now);
    }
}

pub(super) fn prepare_hits(lane: &mut Lane, operations: usize) {
    lane.keys.clear();
    lane.keys.extend((0..operations).map(|_| key(lane.random.below(lane.flows))));
}

pub(super) fn prepare_misses(lane: &mut Lane, operations: usize) {
    lane.keys.clear();
    lane.keys.extend((0..operations).map(|_| key(lane.flows + lane.random.below(lane.flows))));
}

/// Ranks whose logarithm is even are ranks of Zipf's law with exponent 1.
pub(super) fn prepare_zipf(lane: &mut Lane, operations: usize) {
    let logarithm = (lane.flows as f64 + 1.0).ln();
    lane.keys.clear();
    lane.keys.extend((0..operations).map(|_| {
        let rank = (lane.random.unit() * logarithm).exp() as u64 - 1;
        key(scatter(rank.min(lane.flows - 1), lane.flows))
    }));
}

/// Calls `look_up` for each packet. It returns how many it found.
fn each(lane: &mut Lane, meter: &mut impl Meter, mut look_up: impl FnMut(&Key, Timestamp) -> bool) -> usize {
    let mut found = 0;
    for key in &lane.keys {
        lane.now += PACKET;
        meter.begin();
        found += usize::from(look_up(key, lane.now));
        meter.end();
    }
    found
}

/// The same for bursts.
fn bursts(lane: &mut Lane, meter: &mut impl Meter, mut look_up: impl FnMut(&[Key], Timestamp) -> usize) -> usize {
    let mut found = 0;
    for keys in lane.keys.chunks(BURST) {
        lane.now += PACKET * BURST as u32;
        meter.begin();
        found += look_up(keys, lane.now);
        meter.end();
    }
    found
}

pub(super) fn hits<S: Subject>(subject: &S, lane: &mut Lane, meter: &mut impl Meter) {
    assert_eq!(each(lane, meter, |key, now| subject.hit(key, now)), lane.keys.len());
}

pub(super) fn hit_batches<S: Subject>(subject: &S, lane: &mut Lane, meter: &mut impl Meter) {
    let mut scratch = S::Scratch::default();
    assert_eq!(bursts(lane, meter, |keys, now| subject.hit_batch(keys, now, &mut scratch)), lane.keys.len());
}

pub(super) fn borrows<S: Subject>(subject: &S, lane: &mut Lane, meter: &mut impl Meter) {
    assert_eq!(bursts(lane, meter, |keys, now| subject.borrow(keys, now)), lane.keys.len());
}

pub(super) fn borrow_batches<S: Subject>(subject: &S, lane: &mut Lane, meter: &mut impl Meter) {
    let mut scratch = S::Scratch::default();
    assert_eq!(bursts(lane, meter, |keys, now| subject.borrow_batch(keys, now, &mut scratch)), lane.keys.len());
}

pub(super) fn misses<S: Subject>(subject: &S, lane: &mut Lane, meter: &mut impl Meter) {
    assert_eq!(each(lane, meter, |key, now| black_box(subject.find(key, now))), 0);
}

pub(super) fn miss_batches<S: Subject>(subject: &S, lane: &mut Lane, meter: &mut impl Meter) {
    let mut scratch = S::Scratch::default();
    assert_eq!(bursts(lane, meter, |keys, now| subject.find_batch(keys, now, &mut scratch)), 0);
}
