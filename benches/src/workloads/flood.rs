//! One-packet flows in a full table. A reap after each burst hands over the flows that have made room.

use crate::data::{BURST, index, key, mix};
use crate::lane::{Lane, Pace};
use crate::meter::Meter;
use crate::subject::Subject;
use flow_table::Timeout;

/// Flows come twice as fast as a full table releases them, because the mean timeout is the time in which two
/// tables would fill. The timeout follows from the flow's number.
fn timeout(pace: Pace, number: u64, flows: u64) -> Timeout {
    pace.span(1 + mix(number) % (4 * flows))
}

pub(super) fn fill<S: Subject>(subject: &S, lane: &mut Lane) {
    let pace = Pace::of(lane.flows as usize);
    for number in lane.share() {
        let timeout = timeout(pace, number, lane.flows);
        subject.offer(&key(number), timeout, pace.time(number));
        lane.born += 1;
    }
}

pub(super) fn prepare(lane: &mut Lane, operations: usize) {
    let turn = lane.turn;
    lane.keys.clear();
    lane.keys.extend((lane.born..lane.born + operations as u64).map(|born| key(turn.number(born))));
}

pub(super) fn run<S: Subject>(subject: &S, lane: &mut Lane, meter: &mut impl Meter) {
    let pace = Pace::of(lane.flows as usize);
    let mut inserted = 0;
    for (number, key) in lane.keys.iter().enumerate() {
        let now = pace.time(lane.turn.number(lane.born));
        let timeout = timeout(pace, index(key), lane.flows);
        meter.begin();
        inserted += usize::from(subject.offer(key, timeout, now));
        if number % BURST == BURST - 1 {
            subject.reap(now);
        }
        meter.end();
        lane.born += 1;
    }
    if lane.turn.threads == 1 {
        let (fewest, of) = (lane.keys.len() / 10, lane.keys.len());
        assert!(inserted >= fewest, "{inserted} of {of} flows found room");
    }
}
