use std::time::Duration;

use super::*;
use crate::timer::{Place, TimerQueue};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn deadlines_are_kept_to_the_nanosecond() {
    let times = [0, 1, 2, (1 << 22) - 1, 1 << 22, (1 << 30) - 1, 1 << 30, (1 << 30) + 1, (1 << 62) - 2];
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(times.len()));
    for (flow, nanos) in times.into_iter().enumerate() {
        flows.arm(&mut queue, entry(flow), Timestamp::from_nanos(nanos));
    }
    for (flow, nanos) in times.into_iter().enumerate() {
        if let Some(before) = nanos.checked_sub(1).filter(|before| !times.contains(before)) {
            assert_eq!(pop_all(&mut queue, Timestamp::from_nanos(before), &mut flows).0, []);
        }
        assert_eq!(pop_all(&mut queue, Timestamp::from_nanos(nanos), &mut flows).0, [entry(flow)]);
    }
}

#[test]
fn flows_that_never_expire_cost_nothing_until_the_end_of_time() {
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(1000));
    (0..1000).for_each(|flow| flows.arm(&mut queue, entry(flow), Timestamp::MAX));
    for years in 0..100 {
        let now = Timestamp::from_secs(years * 365 * 86_400);
        assert_eq!(pop_all(&mut queue, now, &mut flows), (vec![], 0));
    }
    assert_eq!(pop_all(&mut queue, Timestamp::MAX, &mut flows).0.len(), 1000);
}

#[test]
fn a_crowded_tick_is_emptied_in_as_many_calls_as_it_takes() {
    const FLOWS: usize = 100_000;
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(FLOWS));
    let due = Timestamp::from_secs(100);
    (0..FLOWS).for_each(|flow| flows.arm(&mut queue, entry(flow), due));
    // Every second one was refreshed.
    (0..FLOWS).step_by(2).for_each(|flow| flows.get(entry(flow)).deadline = due + SECOND);
    let (mut popped, mut rescheduled) = (0, 0);
    for call in 1..=FLOWS / 1000 {
        assert!(queue.next_due().is_some_and(|next| next <= due));
        // A step back in between neither finds anything nor disturbs.
        assert_eq!(pop_all_at_most(&mut queue, Timestamp::from_secs(50), &mut flows, &mut 1000, &mut 0), 0);
        let mut budget = 1000;
        popped += pop_all_at_most(&mut queue, due, &mut flows, &mut budget, &mut rescheduled);
        assert_eq!((budget, popped + rescheduled), (0, call * 1000));
        if call % 10 == 0 {
            queue.check(&flows);
        }
    }
    assert_eq!((popped, rescheduled), (FLOWS / 2, FLOWS / 2));
    assert!(queue.next_due().is_some_and(|next| due < next));
}

fn pop_all_at_most(
    queue: &mut TimerQueue,
    now: Timestamp,
    flows: &mut Flows,
    budget: &mut usize,
    rescheduled: &mut usize,
) -> usize {
    std::iter::from_fn(|| queue.pop_due(now, budget, rescheduled, flows)).count()
}

#[test]
fn an_open_bucket_takes_arming_and_disarming() {
    const FLOWS: usize = 10_000;
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(FLOWS));
    let due = Timestamp::from_secs(1_000);
    (0..FLOWS / 2).for_each(|flow| flows.arm(&mut queue, entry(flow), due));
    let mut popped = 0;
    for flow in 0..FLOWS / 2 {
        popped += pop_all_at_most(&mut queue, due, &mut flows, &mut 1, &mut 0);
        flows.arm(&mut queue, entry(FLOWS / 2 + flow), due);
        if queue.disarm(entry(flow), &mut flows) {
            popped += 1;
        }
    }
    queue.check(&flows);
    popped += pop_all(&mut queue, due, &mut flows).0.len();
    assert_eq!((popped, queue.next_due()), (FLOWS, None));
}

#[test]
fn a_late_reap_returns_what_is_due_without_sorting_it_first() {
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(10_000));
    for flow in 0..10_000 {
        flows.arm(&mut queue, entry(flow), Timestamp::ZERO + SECOND * (flow as u32));
    }
    let (popped, rescheduled) = pop_all(&mut queue, Timestamp::from_secs(20_000), &mut flows);
    assert_eq!((popped.len(), rescheduled), (10_000, 0));
}

#[test]
fn few_flows_go_from_their_bucket_straight_into_exact_order() {
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(20));
    let deadline = |flow| Timestamp::from_secs(100) + Duration::from_millis(10) * flow;
    (0..20).for_each(|flow| flows.arm(&mut queue, entry(flow as usize), deadline(flow)));
    assert!(queue.next_due().is_some_and(|next| next < deadline(0)), "the beginning of a bucket");
    let just_before = Timestamp::from_nanos(deadline(0).as_nanos() - 1);
    assert_eq!(pop_all(&mut queue, just_before, &mut flows), (vec![], 20));
    for flow in 0..20 {
        assert_eq!(queue.next_due(), Some(deadline(flow)));
        assert_eq!(pop_all(&mut queue, deadline(flow), &mut flows), (vec![entry(flow as usize)], 0));
    }
}

#[test]
fn a_late_comer_goes_into_exact_order_with_those_of_its_bucket() {
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(2));
    let deadline = Timestamp::from_secs(100);
    flows.arm(&mut queue, entry(0), deadline);
    let just_before = Timestamp::from_nanos(deadline.as_nanos() - 1);
    assert_eq!(pop_all(&mut queue, just_before, &mut flows), (vec![], 1));
    // Another reap at the same time changes nothing.
    assert_eq!(pop_all(&mut queue, just_before, &mut flows), (vec![], 0));
    flows.arm(&mut queue, entry(1), deadline + SECOND / 2);
    assert!(matches!(flows.position(entry(1)).place(), Place::Heap(_)));
}

#[test]
fn many_flows_go_from_their_bucket_into_those_of_ticks() {
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(62));
    let deadline = |flow| Timestamp::from_secs(100) + Duration::from_millis(10) * flow;
    (0..62).for_each(|flow| flows.arm(&mut queue, entry(flow as usize), deadline(flow)));
    let just_before = Timestamp::from_nanos(deadline(0).as_nanos() - 1);
    assert_eq!(pop_all(&mut queue, just_before, &mut flows), (vec![], 62));
    let in_heap = |flow: &usize| matches!(flows.position(entry(*flow)).place(), Place::Heap(_));
    assert_eq!((0..62).filter(in_heap).collect::<Vec<_>>(), [0], "the one of this tick");
}

#[test]
fn refreshed_flows_are_looked_at_once_in_a_timeout() {
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(100));
    let timeout = SECOND * 100;
    (0..100).for_each(|flow| flows.arm(&mut queue, entry(flow), Timestamp::ZERO + timeout));
    let mut rescheduled = 0;
    for step in 0..50_000 {
        let now = Timestamp::ZERO + Duration::from_millis(20) * step;
        flows.flows.iter_mut().for_each(|flow| flow.deadline = now + timeout);
        rescheduled += pop_all(&mut queue, now, &mut flows).1;
    }
    assert!(rescheduled <= 11 * 100, "{rescheduled} looks at 100 flows in 10 timeouts");
}

#[test]
fn what_was_filed_long_ago_or_far_away_is_looked_at_once_more() {
    // Since 1970: far from the cursor of a new queue.
    let now = Timestamp::from_secs(1_800_000_000);
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(1000));
    (0..1000).for_each(|flow| flows.arm(&mut queue, entry(flow), now + SECOND * 60));
    assert_eq!(pop_all(&mut queue, now, &mut flows), (vec![], 1000));
    assert_eq!(pop_all(&mut queue, now + SECOND * 50, &mut flows), (vec![], 0));
    assert_eq!(pop_all(&mut queue, now + SECOND * 60, &mut flows).0.len(), 1000);
}

#[test]
fn a_clock_that_jumped_ahead_and_came_back_does_no_lasting_harm() {
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(1000));
    flows.arm(&mut queue, entry(0), Timestamp::MAX);
    let (now, later) = (Timestamp::from_secs(60), Timestamp::from_secs(30 * 365 * 86_400));
    assert_eq!(pop_all(&mut queue, later, &mut flows), (vec![], 0));
    pop_all(&mut queue, now, &mut flows);
    (1..1000).for_each(|flow| flows.arm(&mut queue, entry(flow), now + SECOND * 60));
    // In buckets again, not in the heap: nothing is due at this moment or soon after.
    assert!(queue.next_due().is_some_and(|next| next < now + SECOND * 60));
    assert_eq!(pop_all(&mut queue, now + SECOND * 60, &mut flows).0.len(), 999);
}
