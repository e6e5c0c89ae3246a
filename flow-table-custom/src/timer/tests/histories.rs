use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::baseline::{HeapQueue, Queue};
use super::*;
use crate::timer::TimerQueue;

const FLOWS: usize = 300;

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    /// Arms the flow, or moves its deadline by disarming and arming it if it is filed.
    Arm(usize, Moment),
    /// Arms this many flows, from this one on, at one moment: fills blocks.
    ArmMany(usize, usize, Moment),
    /// Moves the flow's deadline to a later moment without telling the queue.
    Refresh(usize, Moment),
    Disarm(usize),
    /// Ends the flow without telling the queue.
    End(usize),
    /// The clock moves, in any direction.
    Clock(Moment),
    /// The clock moves back.
    Back(Duration),
    Pop(usize),
    PopAll,
    Shrink,
}

/// A time, mostly relative to the clock.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Zero,
    Max,
    After(Duration),
}

impl Moment {
    fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Zero => Timestamp::ZERO,
            Self::Max => Timestamp::MAX,
            Self::After(duration) => now + duration,
        }
    }
}

/// Any number of digits of the time.
fn durations() -> impl Strategy<Value = Duration> {
    (0u64..1 << 62, 0u32..62).prop_map(|(nanos, shift)| Duration::from_nanos(nanos >> shift))
}

/// Those of flows: up to some minutes.
fn timeouts() -> impl Strategy<Value = Duration> {
    (0u64..400_000_000_000, 0u32..30).prop_map(|(nanos, shift)| Duration::from_nanos(nanos >> shift))
}

fn moments() -> impl Strategy<Value = Moment> {
    prop_oneof![
        1 => Just(Moment::Zero),
        1 => Just(Moment::Max),
        3 => durations().prop_map(Moment::After),
        20 => timeouts().prop_map(Moment::After),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..FLOWS, moments()).prop_map(|(flow, at)| Step::Arm(flow, at)),
        4 => (0..FLOWS, 0..FLOWS, moments()).prop_map(|(flow, count, at)| Step::ArmMany(flow, count, at)),
        6 => (0..FLOWS, moments()).prop_map(|(flow, at)| Step::Refresh(flow, at)),
        6 => (0..FLOWS).prop_map(Step::Disarm),
        2 => (0..FLOWS).prop_map(Step::End),
        4 => timeouts().prop_map(|after| Step::Clock(Moment::After(after))),
        1 => durations().prop_map(Step::Back),
        1 => moments().prop_map(Step::Clock),
        6 => (0usize..200).prop_map(Step::Pop),
        3 => Just(Step::PopAll),
        1 => Just(Step::Shrink),
    ];
    proptest::collection::vec(step, 100..300)
}

/// A queue, its flows, and what should be in the queue.
struct History<Q> {
    queue: Q,
    flows: Flows,
    now: Timestamp,
    filed: BTreeSet<usize>,
}

impl<Q: Queue> History<Q> {
    fn new() -> Self {
        Self { queue: Q::new(), flows: Flows::new(FLOWS), now: Timestamp::ZERO, filed: BTreeSet::new() }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Arm(flow, at) => self.arm(flow, at),
            Step::ArmMany(first, count, at) => (first..first + count).for_each(|flow| self.arm(flow % FLOWS, at)),
            Step::Refresh(flow, at) => {
                let (at, flow) = (at.at(self.now), self.flows.get(entry(flow)));
                flow.deadline = flow.deadline.max(at);
            }
            Step::Disarm(flow) => self.disarm(flow),
            Step::End(flow) => self.flows.get(entry(flow)).ended = true,
            Step::Clock(at) => self.now = at.at(self.now),
            Step::Back(by) => self.now = self.now.saturating_sub(by),
            Step::Pop(budget) => self.pop(budget),
            Step::PopAll => self.pop(usize::MAX),
            Step::Shrink => {
                let before = self.queue.memory();
                self.queue.shrink(&mut self.flows);
                assert!(self.queue.memory() <= before);
            }
        }
        self.check();
    }

    fn arm(&mut self, flow: usize, at: Moment) {
        self.disarm(flow);
        let deadline = at.at(self.now);
        self.flows.arm(&mut self.queue, entry(flow), deadline);
        self.filed.insert(flow);
    }

    fn disarm(&mut self, flow: usize) {
        let was_filed = self.filed.remove(&flow);
        assert_eq!(self.queue.disarm(entry(flow), &mut self.flows), was_filed);
    }

    fn pop(&mut self, budget: usize) {
        // Each entry is looked at at most once for each level, and once or twice in the heap.
        let enough = 8 * self.filed.len() + 1;
        let (mut left, mut rescheduled, mut popped) = (budget.min(enough), 0, 0);
        while let Some(entry) = self.queue.pop_due(self.now, &mut left, &mut rescheduled, &mut self.flows) {
            popped += 1;
            assert!(self.filed.remove(&number(entry)), "{entry:?} was not filed");
            assert_eq!(self.flows.due(entry, self.now), Due::Now);
        }
        assert_eq!(budget.min(enough) - left, popped + rescheduled);
        if left > 0 {
            assert!(self.queue.next_due().is_none_or(|next| self.now < next));
            assert!(self.filed.iter().all(|flow| self.now < self.flows.flows[*flow].deadline));
        }
        assert!(budget < enough || left > 0, "does not come to an end");
    }

    fn check(&self) {
        assert_eq!(self.queue.next_due().is_some(), !self.filed.is_empty());
        for flow in 0..FLOWS {
            let filed = self.flows.position(entry(flow)).is_filed();
            assert_eq!(filed, self.filed.contains(&flow));
        }
        let earliest = self.filed.iter().map(|flow| self.flows.flows[*flow].deadline).min();
        assert!(self.queue.next_due() <= earliest);
    }
}

fn run<Q: Queue>(steps: &[Step], check: impl Fn(&History<Q>)) {
    let mut history = History::new();
    for step in steps {
        history.step(step);
        check(&history);
    }
    history.now = Timestamp::MAX;
    history.pop(usize::MAX);
    assert!(history.filed.is_empty());
    history.queue.shrink(&mut history.flows);
    assert_eq!(history.queue.memory(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_wheel_does_what_the_model_does(steps in steps()) {
        run::<TimerQueue>(&steps, |history| {
            let filed = history.queue.check(&history.flows);
            assert_eq!(filed.len(), history.filed.len());
            for (entry, bound) in filed {
                assert!(bound <= history.flows.flows[number(entry)].deadline);
            }
        });
    }

    #[test]
    fn the_heap_does_what_the_model_does(steps in steps()) {
        run::<HeapQueue>(&steps, |_| ());
    }
}
