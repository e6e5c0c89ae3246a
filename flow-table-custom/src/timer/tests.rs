//! The same random histories for both queues, against a model; what only the wheel promises; memory.

#[path = "../../benches/timer/baseline.rs"]
mod baseline;
mod histories;
mod memory;
mod prefetch;
mod refusal;
mod run;
mod wheel;

use flow_table_api::Timestamp;

use super::{Due, Entries, Position};
use crate::ids::EntryIndex;
use crate::memory::AllocError;
use baseline::Queue;

/// The flows of a shard, as far as its queue sees them.
#[derive(Default)]
struct Flows {
    flows: Vec<Flow>,
}

#[derive(Clone, Copy)]
struct Flow {
    deadline: Timestamp,
    ended: bool,
    position: Position,
}

impl Flows {
    fn new(number: usize) -> Self {
        let flow = Flow { deadline: Timestamp::ZERO, ended: false, position: Position::NONE };
        Self { flows: vec![flow; number] }
    }

    fn get(&mut self, entry: EntryIndex) -> &mut Flow {
        &mut self.flows[number(entry)]
    }

    /// Sets the flow's deadline and arms its entry.
    fn arm(&mut self, queue: &mut impl Queue, entry: EntryIndex, deadline: Timestamp) {
        self.try_arm(queue, entry, deadline).expect("there is memory");
    }

    fn try_arm(
        &mut self,
        queue: &mut impl Queue,
        entry: EntryIndex,
        deadline: Timestamp,
    ) -> Result<(), AllocError> {
        *self.get(entry) = Flow { deadline, ended: false, position: Position::NONE };
        queue.arm(entry, deadline, self)
    }
}

impl Entries for Flows {
    type Found = EntryIndex;

    fn find(&self, entry: EntryIndex) -> EntryIndex {
        entry
    }

    fn index(entry: EntryIndex) -> EntryIndex {
        entry
    }

    fn position(&self, entry: EntryIndex) -> Position {
        self.flows[number(entry)].position
    }

    fn set_position(&mut self, entry: EntryIndex, position: Position) {
        self.get(entry).position = position;
    }

    fn due(&self, entry: EntryIndex, now: Timestamp) -> Due {
        let flow = self.flows[number(entry)];
        if flow.ended || flow.deadline <= now { Due::Now } else { Due::At(flow.deadline) }
    }

    fn prefetch(&self, entry: EntryIndex) {
        assert!(number(entry) < self.flows.len());
    }

    fn comes_up(&self, _: EntryIndex) {}
}

/// Test flows are numbered; half of the places of a page are enough for them.
const PLACES: usize = 512;

fn entry(number: usize) -> EntryIndex {
    EntryIndex::new((number / PLACES) as u32, 1 + (number % PLACES) as u32, false)
}

fn number(entry: EntryIndex) -> usize {
    entry.page() as usize * PLACES + entry.place() as usize - 1
}

/// Everything due at `now`, with no limit, in the order in which it comes; and how many were filed again.
fn pop_all(queue: &mut impl Queue, now: Timestamp, flows: &mut Flows) -> (Vec<EntryIndex>, usize) {
    let (mut budget, mut rescheduled) = (usize::MAX, 0);
    let popped = std::iter::from_fn(|| queue.pop_due(now, &mut budget, &mut rescheduled, flows)).collect();
    assert!(queue.next_due().is_none_or(|next| now < next));
    (popped, rescheduled)
}
