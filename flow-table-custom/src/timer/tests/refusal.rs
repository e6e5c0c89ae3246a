use std::time::Duration;

use super::*;
use crate::memory::{AllocError, refusing};
use crate::timer::TimerQueue;

const SECOND: Duration = Duration::from_secs(1);

/// Deadlines for the heap and for every level of the wheel.
fn deadline(flow: usize) -> Timestamp {
    Timestamp::from_nanos((flow as u64).pow(2) << (flow % 6 * 8))
}

#[test]
fn an_entry_that_finds_no_memory_is_not_filed() {
    const FLOWS: usize = 5_000;
    for requests in 0.. {
        let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(FLOWS));
        let refuses = |flow: &usize| flows.try_arm(&mut queue, entry(*flow), deadline(*flow)).is_err();
        let (refused, enough) = refusing::after(requests, || (0..FLOWS).filter(refuses).collect::<Vec<_>>());
        assert_eq!(enough, refused.is_empty(), "{requests} requests");
        assert!(refused.iter().all(|&flow| !flows.position(entry(flow)).is_filed()), "{requests} requests");
        assert_eq!(queue.check(&flows).len(), FLOWS - refused.len(), "{requests} requests");
        // Memory is back.
        refused.iter().for_each(|&flow| flows.arm(&mut queue, entry(flow), deadline(flow)));
        assert_eq!(pop_all(&mut queue, Timestamp::MAX, &mut flows).0.len(), FLOWS, "{requests} requests");
        if enough {
            assert!(requests > 10, "the queue grew in {requests} steps only");
            break;
        }
    }
}

#[test]
fn an_entry_that_is_moved_without_memory_goes_to_the_heap() {
    const FLOWS: usize = 100;
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(2 * FLOWS));
    let due = Timestamp::from_secs(1_000);
    // The level that they will go to is there, and the heap keeps room for some.
    flows.arm(&mut queue, entry(0), Timestamp::from_secs(100));
    (FLOWS..2 * FLOWS).for_each(|flow| flows.arm(&mut queue, entry(flow), Timestamp::ZERO));
    assert_eq!(pop_all(&mut queue, Timestamp::from_secs(100), &mut flows).0.len(), FLOWS + 1);
    (0..FLOWS).for_each(|flow| flows.arm(&mut queue, entry(flow), due));
    // They were refreshed, and each belongs into a bucket, so a block, of its own: more than there are.
    let later = |flow: usize| due + SECOND * (3 + 3 * flow as u32);
    (0..FLOWS).for_each(|flow| flows.get(entry(flow)).deadline = later(flow));
    let (popped, enough) = refusing::after(0, || pop_all(&mut queue, due, &mut flows));
    assert_eq!((popped, enough), ((vec![], FLOWS), false));
    let in_heap = |flow: &usize| matches!(flows.position(entry(*flow)).place(), crate::timer::Place::Heap(_));
    assert!((0..FLOWS).filter(in_heap).count() > 10);
    queue.check(&flows);
    for flow in 0..FLOWS {
        assert_eq!(pop_all(&mut queue, later(flow), &mut flows).0, [entry(flow)], "in order");
    }
}

#[test]
fn the_heap_refuses_when_it_cannot_grow() {
    let (mut heap, mut flows) = (crate::timer::Heap::new(), Flows::new(1));
    let (pushed, _) = refusing::after(0, || heap.push(entry(0), Timestamp::ZERO, &mut flows));
    assert_eq!((pushed, heap.first()), (Err(AllocError), None));
}
