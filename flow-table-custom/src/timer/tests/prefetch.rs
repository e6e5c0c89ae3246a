use std::cell::RefCell;
use std::collections::BTreeSet;

use super::*;
use crate::timer::TimerQueue;

/// Flows, and which of them are on their way into the cache.
struct Watched {
    flows: Flows,
    asked_for: RefCell<BTreeSet<usize>>,
}

impl Entries for Watched {
    type Found = EntryIndex;

    fn find(&self, entry: EntryIndex) -> EntryIndex {
        entry
    }

    fn index(entry: EntryIndex) -> EntryIndex {
        entry
    }

    fn position(&self, entry: EntryIndex) -> Position {
        self.flows.position(entry)
    }

    fn set_position(&mut self, entry: EntryIndex, position: Position) {
        self.flows.set_position(entry, position);
    }

    fn due(&self, entry: EntryIndex, now: Timestamp) -> Due {
        assert!(self.asked_for.borrow_mut().remove(&number(entry)), "{entry:?} is looked at unasked");
        self.flows.due(entry, now)
    }

    fn prefetch(&self, entry: EntryIndex) {
        assert!(self.asked_for.borrow_mut().insert(number(entry)), "{entry:?} is asked for twice");
    }

    fn comes_up(&self, _: EntryIndex) {}
}

#[test]
fn entries_of_a_bucket_are_asked_for_twelve_ahead() {
    const FLOWS: usize = 300;
    let (mut queue, mut flows) = (TimerQueue::new(), Flows::new(FLOWS));
    let due = Timestamp::from_secs(100);
    // Several blocks, the last of them half full.
    (0..FLOWS).for_each(|flow| flows.arm(&mut queue, entry(flow), due));
    let mut watched = Watched { flows, asked_for: RefCell::default() };
    for left in (0..FLOWS).rev() {
        assert!(queue.pop_due(due, &mut 1, &mut 0, &mut watched).is_some());
        assert_eq!(watched.asked_for.borrow().len(), left.min(12), "{left} left");
    }
}
