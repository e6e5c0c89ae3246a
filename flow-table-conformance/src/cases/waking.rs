//! Event loops that sleep until the next deadline, and are woken if there is work earlier.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc as StdArc, Mutex, OnceLock};
use std::task::{Poll, Wake, Waker};

use flow_table_api::{Flow, Table, Timestamp};

use crate::fixture::{Fixture, TestKey, at, race, rounds, secs};
use crate::sync::Arc;
use crate::{Backend, Setup};

/// Does something when it is woken, and counts that.
#[derive(Default)]
struct Bell {
    rung: AtomicUsize,
    action: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Bell {
    fn new() -> (StdArc<Self>, Waker) {
        let bell = StdArc::<Self>::default();
        (StdArc::clone(&bell), bell.into())
    }

    fn rung(&self) -> usize {
        self.rung.load(Ordering::Acquire)
    }
}

impl Wake for Bell {
    fn wake(self: StdArc<Self>) {
        self.rung.fetch_add(1, Ordering::Release);
        if let Some(action) = self.action.get() {
            action();
        }
    }
}

/// Whoever sleeps until the next deadline is woken once, by an insertion, a reinsertion, a cancellation or a
/// shorter deadline, if that is earlier, and by nothing else. If the work is there already, there is nothing to
/// wait for.
pub fn earlier_work_wakes_who_sleeps<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 8);
    let (bell, waker) = Bell::new();
    assert_eq!(table.poll_work(at(60), &waker), Poll::Pending, "the table is empty");
    let flow = table.put(1, at(1));
    assert_eq!(bell.rung(), 0, "due at 61");
    let mut rung = 0;
    let mut sleep = |until: Timestamp, wakes: bool, what: &str, action: &dyn Fn()| {
        assert_eq!(table.poll_work(until, &waker), Poll::Pending, "before it {what}");
        action();
        rung += usize::from(wakes);
        assert_eq!(bell.rung(), rung, "it {what}");
        assert_eq!(table.poll_work(until, &waker).is_ready(), wakes, "it {what}");
    };
    // A lower bound: what is due at 61 may be looked at some seconds before.
    let until = at(50);
    sleep(until, false, "is refreshed", &|| assert!(flow.refresh(at(2))));
    sleep(until, false, "is found", &|| drop(table.find(1, at(3))));
    sleep(until, false, "moves on", &|| flow.set_deadline(at(100)).expect("live"));
    sleep(until, true, "is shortened", &|| flow.set_deadline(at(40)).expect("live"));
    assert_eq!(table.reap_all(at(40)).expired, 1);
    sleep(at(50), false, "goes", &|| drop(table.remove(&TestKey::new(1))));
    sleep(at(500), true, "comes back", &|| drop(table.reinsert(&flow, at(41)).expect("expired")));
    assert_eq!(table.remove_flow(&flow), Ok(true));
    table.reap_all(at(400));
    let short = |seconds| table.flow(5).timeout(secs(seconds));
    sleep(at(500), true, "is inserted", &|| drop(table.put_flow(short(20), at(450))));
    let last = table.find(5, at(450)).expect("live");
    table.reap_all(at(465));
    sleep(at(467), true, "is cancelled", &|| assert!(last.cancel()));
    table.reap_all(at(465));
    let short = table.put_flow(table.flow(6).timeout(secs(100)), at(465));
    sleep(at(500), true, "times out", &|| short.set_timeout(secs(1), at(465)).expect("live"));
    table.reap_all(at(466));
    assert_eq!(table.poll_work(at(500), &waker), Poll::Pending);
    drop(table.put_pair(7, 8, at(400)));
    assert_eq!(bell.rung(), rung + 1, "a pair");
}

/// A waker runs under no lock: it may use the table, drop flows, and let others use the table.
pub fn a_waker_may_use_the_table<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 8);
    let (bell, waker) = Bell::new();
    let (shared, flow) = (Arc::clone(table.shared()), Mutex::new(Some(table.put(1, at(0)))));
    let action = move || {
        drop((shared.lookup(&TestKey::new(1), at(0)), shared.stats(), shared.next_deadline()));
        assert!(flow.lock().expect("no panic").take().is_some_and(|flow| flow.cancel()));
        std::thread::scope(|scope| {
            scope.spawn(|| drop(shared.remove(&TestKey::new(2)))).join().expect("no panic");
        });
    };
    assert!(bell.action.set(Box::new(action)).is_ok());
    assert_eq!(table.poll_work(at(50), &waker), Poll::Pending);
    drop(table.put_flow(table.flow(2).timeout(secs(1)), at(0)));
    assert_eq!((bell.rung(), table.len()), (1, 1));
    assert_eq!(table.reap_all(at(0)).cancelled, 1);
    drop((bell, waker));
}

/// Whatever comes between: whoever finds no work and registers is woken.
pub fn no_work_is_slept_through<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 4);
    for round in 0..rounds(2_000) {
        table.clear();
        table.reap_all(at(99));
        (2..4).for_each(|key| drop(table.put_flow(table.flow(key).timeout(secs(9_000)), at(0))));
        let (bell, waker) = Bell::new();
        let polled = race(2, |thread| {
            if thread == 0 {
                return Some(table.poll_work(at(100), &waker));
            }
            match round % 3 {
                0 => drop(table.put(1, at(0))),
                1 => assert!(table.find(2, at(0)).is_some_and(|flow| flow.cancel())),
                _ => table.find(3, at(0)).expect("live").set_deadline(at(7)).expect("live"),
            }
            None
        });
        assert!(polled[0] == Some(Poll::Ready(())) || bell.rung() == 1, "round {round}: {polled:?}");
    }
}

/// One task may wait twice, and a waker that registers again while it runs is not woken for the same work. When
/// the table goes, it forgets who sleeps.
pub fn each_registration_counts<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 8);
    let (bell, waker) = Bell::new();
    assert!(table.poll_work(at(100), &waker).is_pending() && table.poll_work(at(10), &waker).is_pending());
    drop(table.put_flow(table.flow(1).timeout(secs(50)), at(0)));
    assert_eq!(bell.rung(), 1, "for the later of the two times");
    let (shared, own) = (StdArc::downgrade(&bell), Arc::downgrade(table.shared()));
    let again = move || {
        let bell = shared.upgrade().expect("it is being woken");
        let table = own.upgrade().expect("it is being used");
        let _ = table.poll_work(at(5), &bell.into());
    };
    assert!(bell.action.set(Box::new(again)).is_ok());
    assert!(table.poll_work(at(40), &waker).is_pending());
    drop(table.put_flow(table.flow(2).timeout(secs(20)), at(0)));
    assert_eq!(bell.rung(), 2);
    drop(waker);
    let held = table.find(1, at(0)).expect("live");
    drop(held);
}
