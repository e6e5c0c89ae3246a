//! Bursts of packets, one in twenty of them a flow's first.

use crate::data::{BURST, index, key};
use crate::lane::{Lane, Pace};
use crate::meter::Meter;
use crate::subject::Subject;

/// One in this many packets is a flow's first.
const NEW: u64 = 20;

/// The idle time is two thirds of a flow's life. In the other third it gets its packets.
fn timeout(flows: u64) -> u64 {
    (flows * 2 / 3).max(1)
}

/// Fills the table as it is after a long time. Young flows may still get packets. Old ones got their last packet
/// at a third of their life, and the timers have seen that.
pub(super) fn fill<S: Subject>(subject: &S, lane: &mut Lane) {
    let pace = Pace::of(lane.flows as usize);
    let (timeout, youth) = (timeout(lane.flows), lane.flows / 3 / lane.turn.threads);
    for number in lane.share() {
        let now = pace.time(number);
        subject.insert(key(number), pace.span(timeout), now);
        if lane.born >= youth {
            subject.hit(&key(lane.turn.number(lane.born - youth)), now);
        }
        lane.born += 1;
        if lane.born.is_multiple_of(BURST as u64) {
            subject.expire(&[], now);
        }
    }
}

/// Packets of young flows of this thread, and new flows among them; those get no second packet in the same burst.
/// `due` are the flows that leave the table for the new ones, if none had got a packet at all after its youth.
pub(super) fn prepare(lane: &mut Lane, packets: usize) {
    let youth = (lane.flows / 3 / lane.turn.threads).max(1);
    let (mut known, mut born) = (lane.born, lane.born);
    lane.keys.clear();
    lane.due.clear();
    for packet in 0..packets as u64 {
        if packet % BURST as u64 == 0 {
            known = born;
        }
        if packet % NEW == NEW - 1 {
            lane.keys.push(key(lane.turn.number(born)));
            lane.due.push(key(lane.turn.number(born) - lane.flows));
            born += 1;
        } else {
            let flow = known - 1 - lane.random.below(youth);
            lane.keys.push(key(lane.turn.number(flow)));
        }
    }
}

pub(super) fn run<S: Subject>(subject: &S, lane: &mut Lane, meter: &mut impl Meter) {
    let pace = Pace::of(lane.flows as usize);
    let timeout = pace.span(timeout(lane.flows));
    let mut scratch = S::Scratch::default();
    let mut missing = Vec::with_capacity(BURST);
    let (mut due, mut inserted) = (&lane.due[..], 0);
    for keys in lane.keys.chunks(BURST) {
        let first = lane.born;
        let now = pace.time(lane.turn.number(first));
        meter.begin();
        subject.packets(keys, now, &mut missing, &mut scratch);
        for position in missing.drain(..) {
            subject.insert(keys[position], timeout, now);
            inserted += 1;
            lane.born = lane.born.max(lane.turn.born(index(&keys[position])) + 1);
        }
        let (ended, rest) = due.split_at(due.len().min((lane.born - first) as usize));
        due = rest;
        subject.expire(ended, now);
        meter.end();
    }
    if lane.turn.threads == 1 {
        assert_eq!(inserted, lane.due.len(), "only new flows are missing");
    }
}
