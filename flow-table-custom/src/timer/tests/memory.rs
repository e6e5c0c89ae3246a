use std::time::Duration;

use super::*;
use crate::timer::blocks::Blocks;
use crate::timer::level::Level;
use crate::timer::tick::Bucket;
use crate::timer::{Heap, TimerQueue};

const FLOWS: usize = 200_000;

/// Deadlines of a flood: spread over two minutes.
fn deadline(flow: usize) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(120) * (flow as u32) / (FLOWS as u32)
}

#[test]
fn an_empty_queue_has_nothing_allocated() {
    assert_eq!(TimerQueue::new().memory(), 0);
    assert!(size_of::<TimerQueue>() <= 192);
}

#[test]
fn memory_is_the_sum_of_the_parts() {
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(1 + Bucket::LEVELS));
    flows.arm(&mut queue, entry(Bucket::LEVELS), Timestamp::ZERO);
    for level in 0..Bucket::LEVELS {
        flows.arm(&mut queue, entry(level), Timestamp::from_nanos(1 << (23 + 8 * level)));
    }
    let (mut heap, mut blocks) = (Heap::new(), Blocks::new());
    assert!(heap.push(entry(0), Timestamp::ZERO, &mut flows).is_ok());
    assert!(blocks.allocate(Bucket::default(), None).is_ok());
    let levels = Bucket::LEVELS * size_of::<Level>();
    assert_eq!(queue.memory(), heap.memory() + blocks.memory() + levels);
}

#[test]
fn a_filed_entry_takes_little_more_than_its_index() {
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(FLOWS));
    (0..FLOWS).for_each(|flow| flows.arm(&mut queue, entry(flow), deadline(flow)));
    assert!(queue.memory() * 4 <= FLOWS * 19, "{} bytes for {FLOWS} entries", queue.memory());
}

#[test]
fn memory_goes_back_after_a_flood_over_long_lived_flows() {
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(FLOWS));
    let lasting = (0..FLOWS).filter(|flow| flow % 50 == 0);
    lasting.clone().for_each(|flow| flows.arm(&mut queue, entry(flow), Timestamp::MAX));
    let before = queue.memory();
    for flow in (0..FLOWS).filter(|flow| flow % 50 != 0) {
        flows.arm(&mut queue, entry(flow), deadline(flow));
    }
    let peak = queue.memory();
    for second in 0..=120 {
        pop_all(&mut queue, Timestamp::from_secs(second), &mut flows);
    }
    assert_eq!(queue.check(&flows).len(), lasting.count());
    assert!(
        queue.memory() <= 2 * before + 16 * 1024,
        "{before} bytes, {peak} at the peak, now {}",
        queue.memory()
    );
    queue.shrink(&mut flows);
    queue.check(&flows);
    assert!(queue.memory() <= before + 4096);
}

#[test]
fn memory_goes_back_when_entries_are_disarmed() {
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(FLOWS));
    (0..FLOWS).for_each(|flow| flows.arm(&mut queue, entry(flow), deadline(flow)));
    // Scattered: a step that has no common divisor with the number of flows visits all of them.
    for flow in (0..FLOWS - 1000).map(|step| step * 70_001 % FLOWS) {
        assert!(queue.disarm(entry(flow), &mut flows));
    }
    assert_eq!(queue.check(&flows).len(), 1000);
    // A block for each of some hundred buckets.
    assert!(queue.memory() <= 120 * 1024, "{} bytes", queue.memory());
}

#[test]
fn the_heap_gives_memory_back_as_well() {
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(FLOWS));
    pop_all(&mut queue, Timestamp::from_secs(1_000), &mut flows);
    (0..FLOWS).for_each(|flow| flows.arm(&mut queue, entry(flow), deadline(flow)));
    let peak = queue.memory();
    assert_eq!(pop_all(&mut queue, Timestamp::from_secs(1_000), &mut flows).0.len(), FLOWS);
    assert!(queue.memory() * 100 < peak);
}

#[test]
fn the_heap_keeps_room_for_twice_as_many_once_three_quarters_are_unused() {
    const NODE: usize = size_of::<(Timestamp, EntryIndex)>();
    let (mut heap, mut flows) = (Heap::new(), Flows::new(1_000));
    let mut push = |heap: &mut Heap, flow| {
        let position = heap.push(entry(flow), deadline(flow), &mut flows);
        position.map(|position| flows.set_position(entry(flow), position)).is_ok()
    };
    assert!((0..100).all(|flow| push(&mut heap, flow)));
    // It doubles from here on: not by powers of two.
    heap.shrink();
    assert_eq!(heap.memory(), 100 * NODE);
    assert!((100..1_000).all(|flow| push(&mut heap, flow)));
    for left in (0..1_000).rev() {
        let before = heap.memory() / NODE;
        assert_eq!(heap.pop(&mut flows), Some(entry(999 - left)));
        let unused = before > 4 * left && before > 64;
        assert_eq!(heap.memory() / NODE, if unused { 64.max(2 * left) } else { before }, "{left} left");
    }
}
