use std::time::Duration;

use super::*;
use crate::memory::refusing;
use crate::timer::{Place, TimerQueue};

const FLOWS: usize = 50;

/// Deadlines in one bucket of 2.1 seconds, the later ones first.
fn deadline(flow: usize) -> Timestamp {
    Timestamp::from_secs(100) + Duration::from_millis(10) * (FLOWS - flow) as u32
}

fn filed() -> (TimerQueue, Flows) {
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(FLOWS + 1));
    (0..FLOWS).for_each(|flow| flows.arm(&mut queue, entry(flow), deadline(flow)));
    (queue, flows)
}

fn in_run(flows: &Flows) -> usize {
    (0..=FLOWS).filter(|flow| matches!(flows.flows[*flow].position.place(), Place::Run(_))).count()
}

#[test]
fn entries_leave_a_run_in_order_or_early() {
    let (mut queue, mut flows) = filed();
    assert_eq!(pop_all(&mut queue, Timestamp::from_secs(100), &mut flows), (vec![], FLOWS));
    assert_eq!(in_run(&flows), FLOWS);
    // The first ones, the last one, and some in between.
    let early = [FLOWS - 1, FLOWS - 2, 0, 20, 21, 30];
    for flow in early {
        assert!(queue.disarm(entry(flow), &mut flows) && !queue.disarm(entry(flow), &mut flows));
        assert_eq!(queue.check(&flows).len(), in_run(&flows));
    }
    for flow in (0..FLOWS).rev().filter(|flow| !early.contains(flow)) {
        assert_eq!(queue.next_due(), Some(deadline(flow)));
        assert_eq!(pop_all(&mut queue, deadline(flow), &mut flows), (vec![entry(flow)], 0));
    }
    assert_eq!(queue.next_due(), None);
}

#[test]
fn entries_of_run_and_heap_come_in_one_order() {
    let (mut queue, mut flows) = filed();
    assert_eq!(pop_all(&mut queue, Timestamp::from_secs(100), &mut flows).1, FLOWS);
    let between = deadline(20) + Duration::from_millis(5);
    flows.arm(&mut queue, entry(FLOWS), between);
    assert!(matches!(flows.flows[FLOWS].position.place(), Place::Heap(_)));
    let popped = pop_all(&mut queue, Timestamp::from_secs(101), &mut flows).0;
    let expected: Vec<_> = (20..FLOWS).rev().chain([FLOWS]).chain((0..20).rev()).map(entry).collect();
    assert_eq!(popped, expected);
}

#[test]
fn what_was_refreshed_goes_from_its_bucket_to_a_later_one() {
    let (mut queue, mut flows) = filed();
    let later = Timestamp::from_secs(200);
    flows.get(entry(7)).deadline = later;
    flows.get(entry(8)).ended = true;
    let popped = pop_all(&mut queue, Timestamp::from_secs(100), &mut flows);
    assert_eq!(popped, (vec![entry(8)], FLOWS - 1));
    assert_eq!(in_run(&flows), FLOWS - 2);
    assert!(matches!(flows.flows[7].position.place(), Place::Block(..)));
    assert_eq!(pop_all(&mut queue, Timestamp::from_secs(102), &mut flows).0.len(), FLOWS - 2);
    assert_eq!(pop_all(&mut queue, later, &mut flows).0, [entry(7)]);
}

#[test]
fn a_budget_for_less_than_the_bucket_or_no_memory_leaves_it_to_the_heap() {
    let (mut queue, mut flows) = filed();
    let (mut budget, mut rescheduled) = (FLOWS - 1, 0);
    assert_eq!(queue.pop_due(Timestamp::from_secs(100), &mut budget, &mut rescheduled, &mut flows), None);
    assert_eq!((budget, rescheduled, in_run(&flows)), (0, FLOWS - 1, 0));
    assert_eq!(pop_all(&mut queue, Timestamp::from_secs(101), &mut flows).0.len(), FLOWS);

    let (mut queue, mut flows) = filed();
    // The heap keeps room for so many.
    (0..FLOWS).for_each(|flow| _ = queue.disarm(entry(flow), &mut flows));
    (0..FLOWS).for_each(|flow| flows.arm(&mut queue, entry(flow), Timestamp::ZERO));
    assert_eq!(pop_all(&mut queue, Timestamp::ZERO, &mut flows).0.len(), FLOWS);
    (0..FLOWS).for_each(|flow| flows.arm(&mut queue, entry(flow), deadline(flow)));
    let (popped, enough) = refusing::after(0, || pop_all(&mut queue, Timestamp::from_secs(100), &mut flows));
    assert_eq!((popped, enough, in_run(&flows)), ((vec![], FLOWS), false, 0));
    assert_eq!(pop_all(&mut queue, Timestamp::from_secs(101), &mut flows).0.len(), FLOWS);
}

#[test]
fn an_empty_run_keeps_room_for_few() {
    let (mut queue, mut flows) = filed();
    let before = queue.memory();
    pop_all(&mut queue, Timestamp::from_secs(100), &mut flows);
    let node = size_of::<(Timestamp, Option<EntryIndex>)>();
    assert!(queue.memory() >= before + FLOWS * node);
    assert_eq!(pop_all(&mut queue, Timestamp::from_secs(101), &mut flows).0.len(), FLOWS);
    assert!(queue.memory() <= before + 64 * node);
    queue.shrink(&mut flows);
    assert_eq!(queue.memory(), 0);
}
