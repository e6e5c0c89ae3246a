//! Borrowing in a burst against the end, the drop and the reuse of the flow.

use std::sync::Arc;

use arrayvec::ArrayVec;
use flow_table_api::state::FlowState;
use flow_table_api::{Status, Timestamp};
use loom::thread;

use super::{Payload, explore, explore_within};
use crate::flows::RefWord;
use crate::grace::{BATCH, Bursts, Limbo};
use crate::ids::EntryIndex;
use crate::sync::{Mutex, Ordering, fence};

const FOREVER: Timestamp = Timestamp::MAX;

const INDEX: EntryIndex = EntryIndex::new(0, 1, false);
/// Of an entry that nobody looks at.
const OTHER: EntryIndex = EntryIndex::new(0, 2, false);

struct Table {
    state: FlowState,
    refs: RefWord,
    payload: Payload,
    /// The shard's lock, and how often each entry was reused.
    reused: Mutex<[u32; 2]>,
    bursts: Bursts,
    limbo: Limbo,
    collect: fn(&Table, usize),
}

impl Table {
    /// An entry with the flow 0, referenced by the table. All words that need the total order have had an
    /// operation of it.
    fn settled(collect: fn(&Table, usize)) -> Arc<Self> {
        let table = Self {
            state: FlowState::new(),
            refs: RefWord::new(),
            payload: Payload::of(0),
            reused: Mutex::new([0, 0]),
            bursts: Bursts::new(1),
            limbo: Limbo::new(),
            collect,
        };
        table.refs.publish(0, 2);
        table.refs.release();
        table.state.activate(FOREVER).unwrap();
        let even = table.bursts.open(0);
        table.limbo.push(&table.bursts, [OTHER]);
        Self::collect(&table, 0);
        table.bursts.close(&table.bursts.open(0));
        table.bursts.close(&even);
        Self::collect(&table, 0);
        Arc::new(table)
    }

    /// As `Core::reclaim` and the next insertion do: drops the flow, and puts another one in its place.
    fn reclaim(&self, index: EntryIndex) {
        if index == OTHER {
            self.reused.lock()[1] += 1;
            return;
        }
        self.payload.clear();
        let mut reused = self.reused.lock();
        self.refs.retire();
        reused[0] += 1;
        self.state.reset(Status::Detached, Timestamp::ZERO);
        self.payload.write(reused[0]);
        self.refs.publish(self.refs.generation(), 1);
        fence(Ordering::Release);
        self.state.reset(Status::Active, FOREVER);
    }

    /// As `Core::finish` does, for whoever brought the count to zero.
    fn finish(&self, thread: usize) {
        if self.bursts.none_open().is_some() {
            self.reclaim(INDEX);
        } else {
            self.limbo.push(&self.bursts, [INDEX]);
            (self.collect)(self, thread);
        }
    }

    /// As `Core::collect` does.
    fn collect(&self, thread: usize) {
        self.collect_by(thread, |limbo, bursts, thread| limbo.take(bursts, thread).0);
    }

    fn collect_by(&self, thread: usize, take: fn(&Limbo, &Bursts, usize) -> ArrayVec<EntryIndex, BATCH>) {
        if self.limbo.len() == 0 || !self.limbo.ask(thread) {
            return;
        }
        loop {
            let taken = take(&self.limbo, &self.bursts, thread);
            if taken.is_empty() {
                return;
            }
            taken.into_iter().for_each(|index| self.reclaim(index));
        }
    }

    /// The flow ends, and the table gives up its reference, as the drop of a handle does.
    fn let_go(&self) {
        self.state.detach();
        if self.refs.release() {
            self.finish(0);
        }
    }

    /// Reads the flow twice, as the borrower of a burst may: it is the same one.
    fn read(&self) {
        let flow = self.payload.read();
        assert_eq!(self.payload.read(), flow);
    }

    /// A whole burst, whose look-up finds the flow if `is_there` returns `true`.
    fn burst_by(&self, thread: usize, is_there: fn(&Self) -> bool) {
        let announced = self.bursts.open(0);
        if is_there(self) {
            self.read();
        }
        self.bursts.close(&announced);
        (self.collect)(self, thread);
    }

    /// As `peek` does.
    fn burst(&self, thread: usize) {
        self.burst_by(thread, Self::is_referenced);
    }

    /// As `peek_live` does.
    fn burst_of_live(&self, thread: usize) {
        self.burst_by(thread, Self::is_live);
    }

    /// What bursts must not do: look first and announce themselves afterwards.
    fn hasty_burst(&self, is_there: fn(&Self) -> bool) {
        if is_there(self) {
            let announced = self.bursts.open(0);
            self.read();
            self.bursts.close(&announced);
        }
        self.collect(1);
    }

    fn is_referenced(&self) -> bool {
        self.refs.is_referenced()
    }

    fn is_live(&self) -> bool {
        self.state.is_live(Timestamp::ZERO)
    }
}

/// `burst` on one thread, while `let_go` on another gives up the only reference. In the end the flow is gone,
/// once.
fn against(burst: fn(&Table), let_go: fn(&Table)) {
    explore(move || {
        let table = Table::settled(Table::collect);
        let borrower = thread::spawn({
            let table = Arc::clone(&table);
            move || burst(&table)
        });
        let_go(&table);
        borrower.join().unwrap();
        assert_eq!(table.reused.lock()[0], 1, "the flow was not let go, or was twice");
    });
}

#[test]
fn what_a_burst_reads_stays_until_it_closes() {
    against(|table| table.burst(1), Table::let_go);
}

#[test]
fn a_live_flow_that_a_burst_reads_stays_until_it_closes() {
    against(|table| table.burst_of_live(1), Table::let_go);
}

/// The same, with another burst, which looks at the count.
#[test]
fn bursts_of_both_kinds_keep_a_flow() {
    against_two(3, Table::let_go, |table| table.burst_of_live(1));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn looking_for_a_live_flow_before_announcing_is_refuted() {
    against(|table| table.hasty_burst(Table::is_live), Table::let_go);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn letting_go_of_a_flow_that_is_active_is_refuted() {
    against(
        |table| table.burst_of_live(1),
        |table| {
            if table.refs.release() {
                table.finish(0);
            }
        },
    );
}

#[test]
#[should_panic(expected = "Causality violation")]
fn looking_before_announcing_is_refuted() {
    against(|table| table.hasty_burst(Table::is_referenced), Table::let_go);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn asking_for_bursts_before_letting_go_is_refuted() {
    against(
        |table| table.burst(1),
        |table| {
            let none_open = table.bursts.none_open().is_some();
            table.refs.release();
            if none_open {
                table.reclaim(INDEX);
            } else {
                table.finish(0);
            }
        },
    );
}

#[test]
#[should_panic(expected = "was not let go")]
fn closing_without_a_look_into_limbo_is_refuted() {
    against(
        |table| {
            let announced = table.bursts.open(0);
            table.bursts.close(&announced);
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
            table.collect(1);
            table.bursts.close(&announced);
        },
        Table::let_go,
    );
}

#[test]
#[should_panic(expected = "was not let go")]
fn going_to_limbo_without_a_look_back_is_refuted() {
    against(
        |table| table.burst(1),
        |table| {
            if table.refs.release() {
                match table.bursts.none_open().is_some() {
                    true => table.reclaim(INDEX),
                    false => table.limbo.push(&table.bursts, [INDEX]),
                }
            }
        },
    );
}

/// Two bursts, which may come before and after the flow's end and one another.
fn against_two(switches: usize, let_go: fn(&Table), first: fn(&Table)) {
    explore_within(switches, move || {
        let table = Table::settled(Table::collect);
        let spawn = |burst: fn(&Table)| {
            let table = Arc::clone(&table);
            thread::spawn(move || burst(&table))
        };
        let bursts = [spawn(first), spawn(|table| table.burst(2))];
        let_go(&table);
        bursts.into_iter().for_each(|burst| burst.join().unwrap());
        assert_eq!(table.reused.lock()[0], 1, "the flow was not let go, or was twice");
    });
}

#[test]
fn a_young_burst_does_not_stand_for_an_old_one() {
    against_two(3, Table::let_go, |table| table.burst(1));
}

/// A burst on one thread, the flow's end on another, and a third party: a burst that closes, for which
/// something else has waited, and that moves the epoch on to collect it. It may be held up in the middle of
/// that.
fn against_a_collector(switches: usize, collect: fn(&Table, usize)) {
    explore_within(switches, move || {
        let table = Table::settled(collect);
        let older = table.bursts.open(0);
        table.limbo.push(&table.bursts, [OTHER]);
        table.collect(0);
        let collector = thread::spawn({
            let table = Arc::clone(&table);
            move || {
                table.bursts.close(&older);
                (table.collect)(&table, 2);
            }
        });
        let borrower = thread::spawn({
            let table = Arc::clone(&table);
            move || table.burst(1)
        });
        table.let_go();
        collector.join().unwrap();
        borrower.join().unwrap();
        assert_eq!(*table.reused.lock(), [1, 2], "something was not let go, or was twice");
    });
}

#[test]
fn a_third_party_that_collects_lets_nothing_go_early() {
    against_a_collector(4, Table::collect);
}

/// The epoch moves on by a look from before the flow's end.
#[test]
#[should_panic(expected = "Causality violation")]
fn moving_the_epoch_while_it_is_stamped_is_refuted() {
    against_a_collector(4, |table, thread| table.collect_by(thread, Limbo::take_hastily));
}

/// A thread that collects drops a value, within which something else ends and it is asked to collect again by
/// `nested`; beside it, a burst closes that something has waited for too. In the end nothing waits.
fn against_another_push(nested: fn(&Table, usize)) {
    explore_within(3, move || {
        let table = Table::settled(Table::collect);
        let older = table.bursts.open(0);
        table.limbo.push(&table.bursts, [OTHER]);
        let other = thread::spawn({
            let table = Arc::clone(&table);
            move || {
                let announced = table.bursts.open(0);
                table.limbo.push(&table.bursts, [OTHER]);
                table.bursts.close(&announced);
                table.collect(2);
            }
        });
        table.bursts.close(&older);
        let mut is_first = true;
        if table.limbo.len() != 0 && table.limbo.ask(1) {
            loop {
                let taken = table.limbo.take(&table.bursts, 1).0;
                if taken.is_empty() {
                    break;
                }
                taken.into_iter().for_each(|index| table.reclaim(index));
                if std::mem::take(&mut is_first) {
                    let announced = table.bursts.open(0);
                    table.limbo.push(&table.bursts, [OTHER]);
                    table.bursts.close(&announced);
                    nested(&table, 1);
                }
            }
        }
        other.join().unwrap();
        assert_eq!(table.limbo.len(), 0, "something waits, and nobody will look");
        // One of `settled`.
        assert_eq!(table.reused.lock()[1], 3 + u32::from(!is_first), "something was let go twice, or never");
    });
}

#[test]
fn nothing_is_stranded_by_a_thread_that_is_collecting() {
    against_another_push(Table::collect);
}

#[test]
#[should_panic(expected = "nobody will look")]
fn not_asking_a_thread_that_is_collecting_is_refuted() {
    against_another_push(|_, _| {});
}
