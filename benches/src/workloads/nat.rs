//! Flows with two keys.

use crate::data::{Key, key};
use crate::lane::{Lane, Pace};
use crate::meter::Meter;
use crate::subject::Subject;

/// Reply keys are numbered apart from forward keys.
const REPLY: u64 = 1 << 48;
/// Keys for each operation: those of the new pair, and one of each direction that is looked up.
const KEYS: usize = 4;

pub(super) fn fill<S: Subject>(subject: &S, lane: &mut Lane) {
    let pace = Pace::of(lane.flows as usize);
    for number in lane.share() {
        subject.insert_pair(key(number), key(REPLY + number), pace.timeout(), pace.time(number));
        subject.pause_after(lane.born, pace.time(number));
        lane.born += 1;
    }
}

/// Looked-up flows are of the younger half, so that no other thread's clock lets them expire.
pub(super) fn prepare(lane: &mut Lane, operations: usize) {
    let young = (lane.flows / 2 / lane.turn.threads).max(1);
    lane.keys.clear();
    for born in lane.born..lane.born + operations as u64 {
        let (forward, reply) = (lane.random.below(young), lane.random.below(young));
        let number = lane.turn.number(born);
        let (forward, reply) = (lane.turn.number(born - forward), REPLY + lane.turn.number(born - reply));
        lane.keys.extend([number, REPLY + number, forward, reply].map(key));
    }
}

pub(super) fn run<S: Subject>(subject: &S, lane: &mut Lane, meter: &mut impl Meter) {
    let pace = Pace::of(lane.flows as usize);
    let (mut expired, mut found) = (0, 0);
    for keys in lane.keys.chunks_exact(KEYS) {
        let &[new, new_reply, forward, reply]: &[Key; KEYS] = keys.try_into().expect("exact chunks");
        let now = pace.time(lane.turn.number(lane.born));
        meter.begin();
        expired += subject.expire(&[], now);
        subject.insert_pair(new, new_reply, pace.timeout(), now);
        found += usize::from(subject.find(&forward, now)) + usize::from(subject.find(&reply, now));
        meter.end();
        lane.born += 1;
    }
    let operations = lane.keys.len() / KEYS;
    if lane.turn.threads == 1 {
        assert_eq!((expired, found), (operations, 2 * operations));
    }
}
