use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::PoisonError;
use std::task::Waker;
use std::{mem, thread};

use crate::Timestamp;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};

/// For backends: the wakers of event loops that sleep until the table's next deadline
/// ([`Table::poll_work`](crate::Table::poll_work)).
///
/// A backend has one in its table. An operation that may have brought the table's next deadline forward calls
/// [`ring`](Self::ring) when it holds no lock any more. The table [clears](Self::clear) it at its end.
///
/// The two sides meet like this. A sleeper registers here and then reads the next deadline. The operation changes
/// the next deadline and then looks here. All of these accesses are sequentially consistent, or have a fence that
/// is between them. So either the sleeper reads the new deadline, or the operation finds the sleeper.
pub struct Alarm {
    /// Greater than the time of any work that a sleeper does not have to be woken for; zero if nobody sleeps.
    until: AtomicU64,
    sleepers: Mutex<Sleepers>,
}

#[derive(Default)]
struct Sleepers {
    asleep: Vec<Sleeper>,
    tickets: u64,
}

struct Sleeper {
    /// The number of the future that it came from; zero for others.
    ticket: u64,
    until: Timestamp,
    waker: Waker,
}

impl Alarm {
    /// Nobody sleeps.
    pub fn new() -> Self {
        Self { until: AtomicU64::new(0), sleepers: Mutex::new(Sleepers::default()) }
    }

    /// Wakes those who wait for work before a time later than `time`. Call it under no lock, after the change. If
    /// a waker panics, the others are woken, too, and then the panic continues, unless the thread is panicking.
    #[inline]
    pub fn ring(&self, time: Timestamp) {
        // SeqCst: pairs with `settle`; see the type.
        if time.as_nanos() < self.until.load(Ordering::SeqCst) {
            self.wake(time);
        }
    }

    #[cold]
    #[inline(never)]
    fn wake(&self, time: Timestamp) {
        let woken: Vec<_> = {
            let mut sleepers = self.lock();
            let woken = sleepers.asleep.extract_if(.., |sleeper| time < sleeper.until).collect();
            self.settle(&sleepers);
            woken
        };
        let mut first: Option<Box<dyn Any + Send>> = None;
        for sleeper in woken {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| sleeper.waker.wake())) {
                match first {
                    None => first = Some(panic),
                    // Its drop could panic again.
                    Some(_) => mem::forget(panic),
                }
            }
        }
        match first {
            Some(panic) if thread::panicking() => mem::forget(panic),
            Some(panic) => resume_unwind(panic),
            None => {}
        }
    }

    /// Registers a waker for work before `until`. Of two registrations of one waker, that for the later time
    /// stays. Read the next deadline after this.
    pub fn set(&self, until: Timestamp, waker: &Waker) {
        let own = waker.clone();
        let mut sleepers = self.lock();
        let same =
            sleepers.asleep.iter_mut().find(|sleeper| sleeper.ticket == 0 && sleeper.waker.will_wake(waker));
        let unused = match same {
            Some(sleeper) => {
                sleeper.until = sleeper.until.max(until);
                Some(own)
            }
            None => {
                sleepers.asleep.push(Sleeper { ticket: 0, until, waker: own });
                None
            }
        };
        self.settle(&sleepers);
        // Wakers are cloned and dropped under no lock.
        drop(sleepers);
        drop(unused);
    }

    /// Registers a waker as [`set`](Self::set) does, for a future that gives the registration up when it is
    /// dropped.
    pub(crate) fn sleep<'a>(&'a self, registered: &mut Registration<'a>, until: Timestamp, waker: &Waker) {
        let waker = waker.clone();
        registered.alarm = Some(self);
        let mut sleepers = self.lock();
        if registered.ticket == 0 {
            sleepers.tickets += 1;
            registered.ticket = sleepers.tickets;
        }
        let sleeper = Sleeper { ticket: registered.ticket, until, waker };
        let replaced = match sleepers.asleep.iter_mut().find(|other| other.ticket == registered.ticket) {
            Some(other) => Some(mem::replace(other, sleeper)),
            None => {
                sleepers.asleep.push(sleeper);
                None
            }
        };
        self.settle(&sleepers);
        drop(sleepers);
        drop(replaced);
    }

    /// Forgets all who sleep: the table goes.
    pub fn clear(&self) {
        let mut sleepers = self.lock();
        let all = mem::take(&mut sleepers.asleep);
        self.settle(&sleepers);
        drop(sleepers);
        drop(all);
    }

    fn lock(&self) -> MutexGuard<'_, Sleepers> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the latest time that anybody waits for.
    fn settle(&self, sleepers: &Sleepers) {
        let until = sleepers.asleep.iter().map(|sleeper| sleeper.until.as_nanos()).max().unwrap_or(0);
        // SeqCst: pairs with `ring`. A swap, for loom: its stores that race with other operations have no one
        // order.
        self.until.swap(until, Ordering::SeqCst);
    }
}

impl Default for Alarm {
    fn default() -> Self {
        Self::new()
    }
}

/// The registration of a future.
#[derive(Default)]
pub(crate) struct Registration<'a> {
    alarm: Option<&'a Alarm>,
    ticket: u64,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        let Some(alarm) = self.alarm else { return };
        let mut sleepers = alarm.lock();
        let own = sleepers.asleep.iter().position(|sleeper| sleeper.ticket == self.ticket);
        let own = own.map(|own| sleepers.asleep.swap_remove(own));
        alarm.settle(&sleepers);
        drop(sleepers);
        drop(own);
    }
}

#[cfg(all(test, not(flow_table_loom)))]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Arc, Weak};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn those_are_woken_once_who_wait_for_earlier_work() {
        let (alarm, counts) = (Alarm::new(), [(); 2].map(|()| Arc::new(Count::default())));
        let told = || [0, 1].map(|index: usize| counts[index].0.load(Ordering::Relaxed));
        let wakers: Vec<Waker> = counts.iter().map(|count| Arc::clone(count).into()).collect();
        alarm.ring(Timestamp::ZERO);
        alarm.set(at(5), &wakers[0]);
        alarm.set(at(9), &wakers[1]);
        alarm.ring(at(9));
        assert_eq!(told(), [0, 0], "not earlier");
        alarm.ring(at(5));
        assert_eq!(told(), [0, 1]);
        alarm.set(at(7), &wakers[0]);
        alarm.set(at(1), &wakers[0]);
        alarm.ring(at(6));
        alarm.ring(Timestamp::ZERO);
        assert_eq!(told(), [1, 1], "once, for the later time");
    }

    #[test]
    fn a_waker_that_panics_keeps_no_other_from_its_turn() {
        struct Bad;
        impl Wake for Bad {
            fn wake(self: Arc<Self>) {
                panic!("as intended");
            }
        }
        let (alarm, count) = (Alarm::new(), Arc::new(Count::default()));
        alarm.set(at(1), &Arc::new(Bad).into());
        alarm.set(at(1), &Arc::clone(&count).into());
        let ring = || catch_unwind(AssertUnwindSafe(|| alarm.ring(Timestamp::ZERO)));
        assert!(ring().is_err() && ring().is_ok());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn whoever_registers_again_while_it_is_woken_waits_for_the_next_time() {
        struct Again(Weak<Alarm>, AtomicUsize);
        impl Wake for Again {
            fn wake(self: Arc<Self>) {
                self.1.fetch_add(1, Ordering::Relaxed);
                let alarm = self.0.upgrade().expect("there");
                alarm.set(at(1), &self.into());
            }
        }
        let alarm = Arc::new(Alarm::new());
        let again = Arc::new(Again(Arc::downgrade(&alarm), AtomicUsize::new(0)));
        alarm.set(at(1), &Arc::clone(&again).into());
        alarm.ring(Timestamp::ZERO);
        assert_eq!(again.1.load(Ordering::Relaxed), 1);
        alarm.clear();
        alarm.ring(Timestamp::ZERO);
        assert_eq!((again.1.load(Ordering::Relaxed), Arc::strong_count(&again)), (1, 1));
    }

    #[test]
    fn futures_register_for_themselves() {
        let (alarm, count) = (Alarm::new(), Arc::new(Count::default()));
        let waker: Waker = Arc::clone(&count).into();
        let [mut early, mut late] = [(); 2].map(|()| Registration::default());
        alarm.sleep(&mut late, at(9), &waker);
        alarm.sleep(&mut early, at(1), &waker);
        alarm.sleep(&mut early, at(2), &waker);
        drop(early);
        alarm.ring(at(5));
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "the late one is still there");
        alarm.sleep(&mut late, at(9), &waker);
        drop((late, waker));
        assert_eq!(Arc::strong_count(&count), 1, "and leaves nothing behind");
    }
}
