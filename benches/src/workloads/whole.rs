//! Workloads over all flows of a table at once, and reaping none.

use std::time::Duration;

use flow_table::Timestamp;

use crate::data::key;
use crate::lane::{Lane, Pace};
use crate::meter::Meter;
use crate::subject::Subject;

const TIMEOUT: Duration = Duration::from_secs(60);
const PACKET: Duration = Duration::from_nanos(100);

/// Fills the table with flows that are all due at the same time.
pub(super) fn gather_storm<S: Subject>(subject: &S, lane: &mut Lane) {
    for number in 0..lane.flows {
        subject.insert(key(number), TIMEOUT.into(), lane.now);
    }
    lane.now += TIMEOUT + S::LATE;
}

pub(super) fn storm<S: Subject>(subject: &S, lane: &Lane) {
    assert_eq!(subject.reap(lane.now) as u64, lane.flows);
}

pub(super) fn idle<S: Subject>(subject: &S, lane: &mut Lane, calls: usize, meter: &mut impl Meter) {
    let mut reaped = 0;
    for _ in 0..calls {
        lane.now += PACKET;
        meter.begin();
        reaped += subject.reap(lane.now);
        meter.end();
    }
    assert_eq!(reaped, 0);
}

/// Makes each key when it is needed, because an array of keys would be most of the process's memory.
pub(super) fn grow<S: Subject>(subject: &S, lane: &Lane, meter: &mut impl Meter) {
    let pace = Pace::of(lane.flows as usize);
    for number in 0..lane.flows {
        let (key, now): (_, Timestamp) = (key(number), pace.time(number));
        meter.begin();
        subject.insert(key, (24 * 60 * TIMEOUT).into(), now);
        meter.end();
        meter.aside(|| subject.pause_after(number, now));
    }
}

pub(super) fn iterate<S: Subject>(subject: &S, lane: &Lane) {
    assert_eq!(subject.visit() as u64, lane.flows);
}
