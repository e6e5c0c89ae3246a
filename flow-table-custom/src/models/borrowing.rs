//! Borrowing in a burst against the end, the drop and the reuse of the flow.

use std::sync::Arc;

use loom::thread;

use super::{Payload, explore, explore_within};
use crate::bursts::Bursts;
use crate::index::EntryIndex;
use crate::limbo::Limbo;
use crate::refs::RefWord;
use crate::sync::Mutex;

const INDEX: EntryIndex = EntryIndex::new(0, 0, false);

struct Table {
    refs: RefWord,
    payload: Payload,
    /// The shard's lock, and how often the entry was reused.
    reused: Mutex<u32>,
    bursts: Bursts,
    limbo: Limbo,
}

impl Table {
    /// An entry with the flow 0, referenced by the table. All words that need the total order have had an
    /// operation of it.
    fn settled() -> Arc<Self> {
        let table = Self {
            refs: RefWord::new(),
            payload: Payload::of(0),
            reused: Mutex::new(0),
            bursts: Bursts::new(1),
            limbo: Limbo::new(),
        };
        table.refs.publish(0, 2);
        table.refs.release();
        table.bursts.close(table.bursts.open(0));
        table.bursts.safe_before();
        table.bursts.close(table.bursts.open(0));
        table.limbo.push(0, [INDEX]);
        table.limbo.pop(u64::MAX);
        Arc::new(table)
    }

    /// As `Core::reclaim` and the next insertion do: drops the flow, and puts another one in its place.
    fn reclaim(&self) {
        self.payload.clear();
        let mut reused = self.reused.lock();
        self.refs.retire();
        *reused += 1;
        self.payload.write(*reused);
        self.refs.publish(self.refs.generation(), 1);
    }

    /// As `Core::finish` does, for whoever brought the count to zero.
    fn finish(&self) {
        if self.bursts.none_open() {
            self.reclaim();
        } else {
            self.limbo.push(self.bursts.stamp(), [INDEX]);
            self.collect();
        }
    }

    /// As `Core::collect` does.
    fn collect(&self) {
        if self.limbo.len() != 0 {
            let safe = self.bursts.safe_before();
            while self.limbo.pop(safe).is_some() {
                self.reclaim();
            }
        }
    }

    /// As a handle's drop does: the table's.
    fn let_go(&self) {
        if self.refs.release() {
            self.finish();
        }
    }

    /// Reads the flow twice, as the borrower of a burst may: it is the same one.
    fn read(&self) {
        let flow = self.payload.read();
        assert_eq!(self.payload.read(), flow);
    }

    /// A whole burst.
    fn burst(&self) {
        let announced = self.bursts.open(0);
        if self.refs.is_referenced() {
            self.read();
        }
        self.bursts.close(announced);
        self.collect();
    }
}

/// `burst` on one thread, while `let_go` on another gives up the only reference. In the end the flow is gone,
/// once.
fn against(burst: fn(&Table), let_go: fn(&Table)) {
    explore(move || {
        let table = Table::settled();
        let borrower = thread::spawn({
            let table = Arc::clone(&table);
            move || burst(&table)
        });
        let_go(&table);
        borrower.join().unwrap();
        assert_eq!(*table.reused.lock(), 1, "the flow was not let go, or was twice");
    });
}

#[test]
fn what_a_burst_reads_stays_until_it_closes() {
    against(Table::burst, Table::let_go);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn looking_before_announcing_is_refuted() {
    against(
        |table| {
            if table.refs.is_referenced() {
                let announced = table.bursts.open(0);
                table.read();
                table.bursts.close(announced);
            }
            table.collect();
        },
        Table::let_go,
    );
}

#[test]
#[should_panic(expected = "Causality violation")]
fn asking_for_bursts_before_letting_go_is_refuted() {
    against(Table::burst, |table| {
        let none_open = table.bursts.none_open();
        table.refs.release();
        if none_open {
            table.reclaim();
        } else {
            table.finish();
        }
    });
}

#[test]
#[should_panic(expected = "was not let go")]
fn closing_without_a_look_into_limbo_is_refuted() {
    against(
        |table| {
            let announced = table.bursts.open(0);
            table.bursts.close(announced);
        },
        Table::let_go,
    );
}

#[test]
#[should_panic(expected = "was not let go")]
fn looking_into_limbo_before_closing_is_refuted() {
    against(
        |table| {
            let announced = table.bursts.open(0);
            table.collect();
            table.bursts.close(announced);
        },
        Table::let_go,
    );
}

/// Two bursts, which may come before and after the flow's end and one another.
fn against_two(switches: usize, let_go: fn(&Table)) {
    explore_within(switches, move || {
        let table = Table::settled();
        let burst = || {
            let table = Arc::clone(&table);
            thread::spawn(move || table.burst())
        };
        let bursts = [burst(), burst()];
        let_go(&table);
        bursts.into_iter().for_each(|burst| burst.join().unwrap());
        assert_eq!(*table.reused.lock(), 1, "the flow was not let go, or was twice");
    });
}

#[test]
fn a_young_burst_does_not_stand_for_an_old_one() {
    against_two(3, Table::let_go);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn stamping_with_an_older_epoch_is_refuted() {
    against_two(3, |table| {
        if table.refs.release() {
            if table.bursts.none_open() {
                table.reclaim();
            } else {
                table.limbo.push(table.bursts.stamp() - 2, [INDEX]);
                table.collect();
            }
        }
    });
}
