//! Borrowing in a burst against the end, the drop and the reuse of the flow.

use std::sync::Arc;

use flow_table_api::state::FlowState;
use flow_table_api::{Status, Timestamp};
use loom::thread;

use super::{Payload, explore, explore_within};
use crate::flows::RefWord;
use crate::grace::{Announcement, Bursts, Limbo};
use crate::ids::EntryIndex;
use crate::sync::Mutex;

const FOREVER: Timestamp = Timestamp::MAX;
const NOW: Timestamp = Timestamp::ZERO;

const INDEX: EntryIndex = EntryIndex::new(0, 1, false);
/// Of an entry that nobody looks at.
const OTHER: EntryIndex = EntryIndex::new(0, 2, false);

/// As `Limbo::push`.
type Push = fn(&Limbo, &Bursts, usize, [(EntryIndex, u32); 1]) -> bool;

struct Table {
    state: FlowState,
    refs: RefWord,
    payload: Payload,
    /// The era in which the flow was born, as the entry's record has it.
    birth: Payload,
    /// The shard's lock, and how often each entry was freed.
    freed: Mutex<[u32; 2]>,
    bursts: Bursts,
    limbo: Limbo,
    push: Push,
}

impl Table {
    /// An entry with the flow 0, referenced by the table. All words that need the total order have had an
    /// operation of it. The first `slots` of two slots were used.
    fn settled(slots: usize) -> Self {
        let table = Self {
            state: FlowState::new(),
            refs: RefWord::new(),
            payload: Payload::of(0),
            birth: Payload::of(1),
            freed: Mutex::new([0, 0]),
            bursts: Bursts::new(2),
            limbo: Limbo::new(),
            push: Limbo::push,
        };
        table.refs.publish(0, 2);
        table.refs.release();
        table.state.activate(FOREVER).unwrap();
        for slot in 0..slots {
            let open = table.bursts.open(slot, NOW);
            table.let_other_wait(0);
            table.close(&open, 0);
        }
        assert_eq!((table.limbo.len(), table.freed.lock()[1]), (0, slots as u32));
        table.freed.lock()[1] = 0;
        table
    }

    /// The same, without a flow.
    fn vacant(slots: usize) -> Self {
        let table = Self::settled(slots);
        table.state.detach();
        assert!(table.refs.release());
        table.free(INDEX);
        table
    }

    /// As `Core::reclaim` does: drops the flow and frees the entry.
    fn free(&self, index: EntryIndex) {
        if index == OTHER {
            self.freed.lock()[1] += 1;
            return;
        }
        self.payload.clear();
        let mut freed = self.freed.lock();
        self.refs.retire();
        self.birth.clear();
        freed[0] += 1;
    }

    /// As `Core::insert` does, but its stores are in the total order: see the ground rules.
    fn insert(&self, flow: u32) {
        let _shard = self.freed.lock();
        self.state.reset(Status::Detached, Timestamp::ZERO);
        self.birth.write(self.bursts.era());
        self.payload.write(flow);
        self.refs.publish_in_total_order(1);
        self.state.activate(FOREVER).unwrap();
    }

    /// As `Core::finish` does, for whoever brought the count to zero. What is freed is used again.
    fn finish(&self, thread: usize) {
        let birth = self.birth.read();
        if self.bursts.unseen([birth]).is_some() {
            self.free(INDEX);
        } else {
            let begins = (self.push)(&self.limbo, &self.bursts, thread, [(INDEX, birth)]);
            self.collect(begins, thread);
        }
    }

    /// As `Core::collect` does.
    fn collect(&self, begins: bool, thread: usize) {
        while begins {
            let taken = self.limbo.take(thread).0;
            if taken.is_empty() {
                return;
            }
            taken.into_iter().for_each(|index| self.free(index));
        }
    }

    /// Lets another entry, whose flow was born in this era, wait for open bursts. With one of them, the era moves.
    fn let_other_wait(&self, thread: usize) {
        let begins = self.limbo.push(&self.bursts, thread, [(OTHER, self.bursts.era())]);
        self.collect(begins, thread);
    }

    /// As the drop of `FlowBurst` does.
    fn close(&self, announced: &Announcement<'_>, thread: usize) {
        if let Some(slot) = self.bursts.close(announced) {
            self.review(slot, thread);
        }
    }

    /// As `Core::review` does.
    fn review(&self, slot: usize, thread: usize) {
        let mut left = usize::MAX;
        while left > 0 {
            let begins = self.limbo.review(&self.bursts, thread, slot, &mut left);
            self.collect(begins, thread);
        }
    }

    /// The flow ends, and the table gives up its reference, as the drop of a handle does.
    fn let_go(&self) {
        self.state.detach();
        if self.refs.release() {
            self.finish(0);
        }
    }

    /// As `peek` does, and as `peek_live` does.
    fn look(&self, announced: &Announcement<'_>, is_there: Look) -> bool {
        self.bursts.sees(announced, || is_there(self))
    }

    /// Reads the flow twice, as the borrower of a burst may: it is the same one.
    fn read(&self) {
        let flow = self.payload.read();
        assert_eq!(self.payload.read(), flow);
    }

    /// A whole burst of the thread with this number.
    fn burst(&self, thread: usize, is_there: Look) {
        let announced = self.bursts.open(thread, NOW);
        if self.look(&announced, is_there) {
            self.read();
        }
        self.close(&announced, thread);
    }

    /// What bursts must not do: look first and announce themselves afterwards.
    fn hasty_burst(&self, is_there: Look) {
        if is_there(self) {
            let announced = self.bursts.open(1, NOW);
            self.read();
            self.close(&announced, 1);
        }
    }
}

type Look = fn(&Table) -> bool;

fn is_referenced(table: &Table) -> bool {
    table.refs.is_referenced()
}

fn is_live(table: &Table) -> bool {
    table.state.is_live(NOW)
}

/// `burst` on one thread, while `let_go` on another gives up the only reference. In the end the flow is gone,
/// once.
fn against(burst: fn(&Table), let_go: fn(&Table)) {
    against_in(Limbo::push, burst, let_go);
}

fn against_in(push: Push, burst: fn(&Table), let_go: fn(&Table)) {
    explore(move || {
        let table = Arc::new(Table { push, ..Table::settled(2) });
        let borrower = thread::spawn({
            let table = Arc::clone(&table);
            move || burst(&table)
        });
        let_go(&table);
        borrower.join().unwrap();
        assert_eq!(table.freed.lock()[0], 1, "the flow was not let go, or was twice");
    });
}

/// Ends the flow, and puts another one in its place if it is gone by then.
fn let_go_and_reuse(table: &Table) {
    table.let_go();
    if table.freed.lock()[0] == 1 {
        table.insert(1);
    }
}

#[test]
fn what_a_burst_reads_stays_until_it_closes() {
    against(|table| table.burst(1, is_referenced), let_go_and_reuse);
}

#[test]
fn a_live_flow_that_a_burst_reads_stays_until_it_closes() {
    against(|table| table.burst(1, is_live), let_go_and_reuse);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn looking_for_a_live_flow_before_announcing_is_refuted() {
    against(|table| table.hasty_burst(is_live), Table::let_go);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn letting_go_of_a_flow_that_is_active_is_refuted() {
    against(
        |table| table.burst(1, is_live),
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
    against(|table| table.hasty_burst(is_referenced), Table::let_go);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn asking_for_bursts_before_letting_go_is_refuted() {
    against(
        |table| table.burst(1, is_referenced),
        |table| {
            let unseen = table.bursts.unseen([1]).is_some();
            table.refs.release();
            if unseen {
                table.free(INDEX);
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
            let announced = table.bursts.open(1, NOW);
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
            let announced = table.bursts.open(1, NOW);
            table.review(1, 1);
            table.bursts.close(&announced);
        },
        Table::let_go,
    );
}

#[test]
#[should_panic(expected = "was not let go")]
fn going_to_limbo_without_a_look_back_is_refuted() {
    against_in(Limbo::push_without_a_look_back, |table| table.burst(1, is_referenced), Table::let_go);
}

/// Two bursts, which may come before and after the flow's end and one another, in slots of their own, or one after
/// the other in one.
fn against_two(threads: [usize; 2], push: Push, looks: [Look; 2]) {
    explore_within(3, move || {
        let table = Arc::new(Table { push, ..Table::settled(2) });
        let bursts = [0, 1].map(|burst| {
            let (table, thread, look) = (Arc::clone(&table), threads[burst], looks[burst]);
            thread::spawn(move || table.burst(thread, look))
        });
        table.let_go();
        bursts.into_iter().for_each(|burst| burst.join().unwrap());
        assert_eq!(table.freed.lock()[0], 1, "the flow was not let go, or was twice");
    });
}

#[test]
fn bursts_of_both_kinds_keep_a_flow() {
    against_two([0, 1], Limbo::push, [is_live, is_referenced]);
}

#[test]
fn a_young_burst_does_not_stand_for_an_old_one() {
    against_two([1, 1], Limbo::push, [is_referenced, is_referenced]);
}

/// The stamp is one of before the flow's end. A burst that opens in between is taken for one of afterwards.
#[test]
#[should_panic(expected = "Causality violation")]
fn stamping_before_the_end_is_refuted() {
    explore_within(4, || {
        let table = Arc::new(Table::settled(2));
        let borrower = thread::spawn({
            let table = Arc::clone(&table);
            move || table.burst(1, is_referenced)
        });
        let stamp = table.limbo.stamp_early(&table.bursts);
        table.state.detach();
        if table.refs.release() {
            let begins = table.limbo.push_stamped(&table.bursts, 0, stamp, (INDEX, table.birth.read()));
            table.collect(begins, 0);
        }
        borrower.join().unwrap();
    });
}

/// A burst on one thread, the flow's end on another, and a third party: a burst that closes, for which something
/// else has waited, and that looks at what waits for others too. It may be held up in the middle of that.
#[test]
fn a_third_party_that_collects_lets_nothing_go_early() {
    explore_within(3, || {
        let table = Arc::new(Table::settled(2));
        table.bursts.open(0, NOW);
        table.let_other_wait(0);
        let collector = thread::spawn({
            let table = Arc::clone(&table);
            move || {
                // As the burst that was opened above, and then both slots.
                table.bursts.forget_one(0);
                table.review(0, 2);
                table.review(1, 2);
            }
        });
        let borrower = thread::spawn({
            let table = Arc::clone(&table);
            move || table.burst(1, is_referenced)
        });
        table.let_go();
        collector.join().unwrap();
        borrower.join().unwrap();
        assert_eq!(*table.freed.lock(), [1, 1], "something was not let go, or was twice");
    });
}

/// A burst that is open while the era moves, a flow is inserted, and ends again. `look` is the burst's look-up,
/// and tells whether it reads the flow.
fn against_the_young(look: fn(&Table, &Announcement<'_>) -> bool) {
    explore_within(4, move || {
        let table = Arc::new(Table::vacant(2));
        let borrower = thread::spawn({
            let table = Arc::clone(&table);
            move || {
                let announced = table.bursts.open(1, NOW);
                if look(&table, &announced) {
                    table.read();
                }
                table.close(&announced, 1);
            }
        });
        let stalled = table.bursts.open(0, NOW);
        table.let_other_wait(0);
        table.insert(1);
        table.let_go();
        table.close(&stalled, 0);
        borrower.join().unwrap();
        assert_eq!(*table.freed.lock(), [2, 1], "something was not let go, or was twice");
    });
}

#[test]
fn a_flow_of_a_later_era_stays_for_a_burst_that_reads_it() {
    against_the_young(|table, announced| table.look(announced, is_live));
}

#[test]
fn a_flow_of_a_later_era_that_is_only_referenced_stays_too() {
    against_the_young(|table, announced| table.look(announced, is_referenced));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn announcing_once_for_all_eras_is_refuted() {
    against_the_young(|table, _| is_live(table));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn looking_at_the_era_first_is_refuted() {
    against_the_young(|table, announced| {
        table.bursts.announce_only(announced);
        is_live(table)
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn announcing_a_later_era_without_another_look_is_refuted() {
    against_the_young(|table, announced| {
        let live = is_live(table);
        table.bursts.announce_only(announced);
        live
    });
}

/// A flow of a later era than that of a stalled burst does not wait for it (contract U4).
#[test]
fn the_young_wait_for_no_stalled_burst() {
    explore(|| {
        let table = Arc::new(Table::vacant(2));
        let stalled = table.bursts.open(0, NOW);
        table.let_other_wait(0);
        let borrower = thread::spawn({
            let table = Arc::clone(&table);
            move || table.burst(1, is_live)
        });
        table.insert(1);
        table.let_go();
        borrower.join().unwrap();
        assert_eq!(*table.freed.lock(), [2, 0], "the young one waits, or the old one does not");
        table.close(&stalled, 0);
        assert_eq!(*table.freed.lock(), [2, 1]);
    });
}

/// More bursts than slots, of one thread and of two.
#[test]
fn more_slots_are_made_when_all_are_taken() {
    explore_within(3, || {
        let table = Arc::new(Table::settled(2));
        let others = [table.bursts.open(0, NOW), table.bursts.open(1, NOW)];
        let borrower = thread::spawn({
            let table = Arc::clone(&table);
            move || table.burst(1, is_referenced)
        });
        table.let_go();
        borrower.join().unwrap();
        assert_eq!(table.freed.lock()[0], 0, "two older bursts are open");
        others.iter().for_each(|burst| table.close(burst, 0));
        assert_eq!(table.freed.lock()[0], 1, "the flow was not let go, or was twice");
    });
}

/// A thread that collects drops a value, within which something else ends and it is asked to collect again by
/// `nested`; beside it, a burst closes that something has waited for too. In the end nothing waits.
fn against_another_push(nested: fn(&Table, &Announcement<'_>)) {
    explore_within(3, move || {
        let table = Arc::new(Table::settled(2));
        let older = table.bursts.open(0, NOW);
        table.let_other_wait(0);
        let other = thread::spawn({
            let table = Arc::clone(&table);
            move || {
                let announced = table.bursts.open(1, NOW);
                table.let_other_wait(2);
                table.close(&announced, 2);
            }
        });
        let (mut is_first, mut left) = (true, usize::MAX);
        let slot = table.bursts.close(&older).expect("something waits");
        while left > 0 {
            if !table.limbo.review(&table.bursts, 1, slot, &mut left) {
                continue;
            }
            loop {
                let taken = table.limbo.take(1).0;
                if taken.is_empty() {
                    break;
                }
                taken.into_iter().for_each(|index| table.free(index));
                if std::mem::take(&mut is_first) {
                    let announced = table.bursts.open(0, NOW);
                    table.let_other_wait(1);
                    nested(&table, &announced);
                }
            }
        }
        other.join().unwrap();
        assert_eq!(table.limbo.len(), 0, "something waits, and nobody will look");
        assert_eq!(table.freed.lock()[1], 2 + u32::from(!is_first), "something was let go twice, or never");
    });
}

#[test]
fn nothing_is_stranded_by_a_thread_that_is_collecting() {
    against_another_push(|table, announced| table.close(announced, 1));
}

#[test]
#[should_panic(expected = "nobody will look")]
fn not_asking_a_thread_that_is_collecting_is_refuted() {
    against_another_push(|table, announced| {
        table.bursts.close(announced);
    });
}

/// The era moves while a flow is inserted. A third thread may borrow it.
fn against_a_moving_era(switches: usize, insert: fn(&Table)) {
    explore_within(switches, move || {
        let table = Arc::new(Table::vacant(2));
        let stalled = table.bursts.open(0, NOW);
        let borrower = thread::spawn({
            let table = Arc::clone(&table);
            move || table.burst(1, is_live)
        });
        let mover = thread::spawn({
            let table = Arc::clone(&table);
            move || table.let_other_wait(2)
        });
        insert(&table);
        table.let_go();
        mover.join().unwrap();
        table.close(&stalled, 0);
        borrower.join().unwrap();
        assert_eq!(*table.freed.lock(), [2, 1]);
    });
}

#[test]
fn a_flow_that_is_inserted_while_the_era_moves_stays_for_a_burst_that_reads_it() {
    against_a_moving_era(3, |table| table.insert(1));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn reading_the_birth_after_publication_is_refuted() {
    against_a_moving_era(5, |table| {
        table.payload.write(1);
        table.refs.publish_in_total_order(1);
        table.state.reset(Status::Detached, Timestamp::ZERO);
        table.state.activate(FOREVER).unwrap();
        table.birth.write(table.bursts.era());
    });
}

/// Two flows come and go in one entry, each in an era of its own, while a burst announces the first era. It must
/// not borrow the second flow with that.
#[test]
fn a_burst_announces_until_the_era_stands_still() {
    explore_within(5, || {
        let table = Arc::new(Table::vacant(2));
        let borrower = thread::spawn({
            let table = Arc::clone(&table);
            move || table.burst(1, is_live)
        });
        let stalled = table.bursts.open(0, NOW);
        table.let_other_wait(0);
        table.insert(1);
        table.let_go();
        let begins = table.limbo.push(&table.bursts, 0, [(OTHER, 1)]);
        table.collect(begins, 0);
        if table.freed.lock()[0] == 2 {
            table.insert(2);
            table.let_go();
        }
        table.close(&stalled, 0);
        borrower.join().unwrap();
    });
}
