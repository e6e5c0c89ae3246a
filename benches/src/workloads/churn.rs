//! One flow expires, one is inserted.

use crate::data::key;
use crate::lane::{Lane, Pace};
use crate::meter::Meter;
use crate::subject::Subject;

pub(super) fn fill<S: Subject>(subject: &S, lane: &mut Lane) {
    let pace = Pace::of(lane.flows as usize);
    for number in lane.share() {
        subject.insert(key(number), pace.timeout(), pace.time(number));
        subject.pause_after(lane.born, pace.time(number));
        lane.born += 1;
    }
}

/// New flows, and those as many before them as the table holds.
pub(super) fn prepare(lane: &mut Lane, operations: usize) {
    let (turn, flows) = (lane.turn, lane.flows);
    let numbers = (lane.born..lane.born + operations as u64).map(|born| turn.number(born));
    lane.keys.clear();
    lane.keys.extend(numbers.clone().map(key));
    lane.due.clear();
    lane.due.extend(numbers.map(|number| key(number - flows)));
}

pub(super) fn run<S: Subject>(subject: &S, lane: &mut Lane, meter: &mut impl Meter) {
    let pace = Pace::of(lane.flows as usize);
    let mut expired = 0;
    for (key, due) in lane.keys.iter().zip(lane.due.chunks(1)) {
        let now = pace.time(lane.turn.number(lane.born));
        meter.begin();
        expired += subject.expire(due, now);
        subject.insert(*key, pace.timeout(), now);
        meter.end();
        lane.born += 1;
    }
    if lane.turn.threads == 1 {
        let late = expired.abs_diff(lane.keys.len());
        assert!(late <= pace.flows_in(S::LATE), "each operation expires one flow; {late} more or less");
    }
}
