//! The last handles against the end of the table: the core goes once, after everybody's last use of it.

use flow_table_api::Timestamp;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};

use super::{Payload, explore, explore_within};
use crate::core::Keeper;
use crate::grace::{Bursts, Limbo};
use crate::ids::EntryIndex;
use crate::sync::Mutex;

/// What handles reach without owning it: it must be there for as long as they look.
struct Memory {
    /// There while the core is.
    mapped: Payload,
    keeper: Keeper<Arc<Core>>,
    shards: [Mutex<Shard>; 2],
    bursts: Bursts,
    limbo: Limbo,
}

struct Shard {
    entries: usize,
    closed: bool,
}

/// What the table and the keeper own.
struct Core(Arc<Memory>);

impl Drop for Core {
    fn drop(&mut self) {
        self.0.mapped.clear();
    }
}

impl Memory {
    /// As a handle does that brought its entry's count to zero, in `Core::reclaim`.
    fn free(&self, shard: usize) {
        drop(self.reclaim(shard));
    }

    /// What is given is to be dropped after the last use of the memory.
    fn reclaim(&self, shard: usize) -> Option<Arc<Core>> {
        self.mapped.read();
        let mut inner = self.shards[shard].lock();
        inner.entries -= 1;
        let closed = inner.closed;
        drop(inner);
        if closed { self.keeper.count_out() } else { None }
    }

    /// All words that need the total order have an operation of it.
    fn settle(&self) {
        let open = self.bursts.open(0, Timestamp::ZERO);
        assert!(!self.limbo.push(&self.bursts, 0, [(EntryIndex::new(0, 1, false), 1)]));
        assert_eq!(self.bursts.close(&open), Some(0));
        assert!(self.limbo.review(&self.bursts, 0, 0, &mut 1));
        assert_eq!((self.limbo.take(0).0.len(), self.limbo.take(0).0.len()), (1, 0));
    }

    /// As `Core::wait_for_bursts` does.
    fn wait(&self, shard: usize) -> Option<Arc<Core>> {
        let entry = EntryIndex::new(0, 1 + shard as u32, false);
        let begins = self.limbo.push(&self.bursts, shard + 1, [(entry, 1)]);
        self.collect(begins, shard + 1)
    }

    /// As `Core::collect` does.
    fn collect(&self, begins: bool, thread: usize) -> Option<Arc<Core>> {
        let mut last = None;
        self.mapped.read();
        while begins {
            let taken = self.limbo.take(thread).0;
            if taken.is_empty() {
                break;
            }
            for index in taken {
                last = self.reclaim(index.place() as usize - 1).or(last);
            }
            self.mapped.read();
        }
        last
    }

    /// As `Core::close` does for the bursts.
    fn review_all(&self) {
        for slot in 0..self.limbo.lists() {
            let mut left = usize::MAX;
            while left > 0 {
                let begins = self.limbo.review(&self.bursts, 0, slot, &mut left);
                drop(self.collect(begins, 0));
            }
        }
    }
}

fn table() -> (Arc<Core>, Arc<Memory>) {
    let shard = || Mutex::new(Shard { entries: 1, closed: false });
    let memory = Memory {
        mapped: Payload::of(0),
        keeper: Keeper::new(),
        shards: [shard(), shard()],
        bursts: Bursts::new(1),
        limbo: Limbo::new(),
    };
    let memory = Arc::new(memory);
    (Arc::new(Core(Arc::clone(&memory))), memory)
}

/// A handle in each shard goes while the table goes by `close`.
fn against_handles(close: fn(&Arc<Core>)) {
    explore(move || {
        let (core, memory) = table();
        let handle = |shard| -> JoinHandle<()> {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.free(shard))
        };
        let handles = [handle(0), handle(1)];
        close(&core);
        drop(core);
        handles.into_iter().for_each(|handle| handle.join().unwrap());
        assert!(!memory.mapped.is_there(), "the core was never dropped");
    });
}

fn count_in(Core(memory): &Core) {
    for shard in &memory.shards {
        let mut inner = shard.lock();
        inner.closed = true;
        memory.keeper.count_in(inner.entries);
    }
}

#[test]
fn the_core_goes_with_the_last_of_all() {
    against_handles(|core| {
        core.0.keeper.leave(Arc::clone(core));
        count_in(core);
        drop(core.0.keeper.count_out());
    });
}

#[test]
#[should_panic]
fn counting_the_table_out_first_is_refuted() {
    against_handles(|core| {
        core.0.keeper.leave(Arc::clone(core));
        drop(core.0.keeper.count_out());
        count_in(core);
    });
}

#[test]
#[should_panic]
fn counting_in_after_the_lock_is_refuted() {
    against_handles(|core| {
        let Core(memory) = &**core;
        memory.keeper.leave(Arc::clone(core));
        for shard in &memory.shards {
            let entries = {
                let mut inner = shard.lock();
                inner.closed = true;
                inner.entries
            };
            memory.keeper.count_in(entries);
        }
        drop(memory.keeper.count_out());
    });
}

/// A last handle leaves its entry in limbo, from where the closing burst frees it, and the table goes. The handle
/// still looks into limbo after that, with `claim`, its own share of the core.
fn against_limbo(look: fn(&Memory, claim: Arc<Core>)) {
    explore(move || {
        let (core, memory) = table();
        let limbo = Arc::new(Mutex::new(false));
        memory.free(1);
        let handle = thread::spawn({
            let (claim, memory, limbo) = (Arc::clone(&core), Arc::clone(&memory), Arc::clone(&limbo));
            move || {
                *limbo.lock() = true;
                look(&memory, claim);
            }
        });
        let in_limbo = *limbo.lock();
        if in_limbo {
            memory.free(0);
            core.0.keeper.leave(Arc::clone(&core));
            count_in(&core);
            drop(core.0.keeper.count_out());
        }
        drop(core);
        handle.join().unwrap();
        assert!(!memory.mapped.is_there(), "the core was never dropped");
    });
}

#[test]
fn a_handle_that_looks_into_limbo_keeps_the_core() {
    against_limbo(|memory, claim| {
        memory.mapped.read();
        drop(claim);
    });
}

#[test]
#[should_panic]
fn looking_into_limbo_without_a_claim_is_refuted() {
    against_limbo(|memory, claim| {
        drop(claim);
        memory.mapped.read();
    });
}

/// What the last handle of an entry does, as `Core::finish`, by `wait` if a burst seems to be open. `claim`
/// stands for the result of `Core::share`.
fn finish(memory: &Memory, shard: usize, claim: Arc<Core>, wait: fn(&Memory, usize, Arc<Core>)) {
    if memory.bursts.unseen([1]).is_some() {
        drop(claim);
        memory.free(shard);
    } else {
        wait(memory, shard, claim);
    }
}

/// With its claim until it is done.
fn wait_in_limbo(memory: &Memory, shard: usize, claim: Arc<Core>) {
    drop(memory.wait(shard));
    drop(claim);
}

/// A burst was leaked, and the table ends its bursts by `end`. Of two last handles that go at the same time, each
/// may find the burst's announcement, and leave its entry in limbo, or find that it was taken back.
fn with_a_leaked_burst(end: fn(&Memory), wait: fn(&Memory, usize, Arc<Core>)) {
    explore_within(2, move || {
        let (core, memory) = table();
        memory.settle();
        memory.bursts.open(0, Timestamp::ZERO);
        let handle = |shard| -> JoinHandle<()> {
            let (claim, memory) = (Arc::clone(&core), Arc::clone(&memory));
            thread::spawn(move || finish(&memory, shard, claim, wait))
        };
        let handles = [handle(0), handle(1)];
        // As `Core::close` does.
        end(&memory);
        memory.keeper.leave(Arc::clone(&core));
        count_in(&core);
        drop(memory.keeper.count_out());
        drop(core);
        handles.into_iter().for_each(|handle| handle.join().unwrap());
        assert!(!memory.mapped.is_there(), "the core was never dropped");
    });
}

/// As `Core::close` does.
fn take_back(memory: &Memory) {
    memory.bursts.forget();
    memory.review_all();
}

#[test]
fn a_leaked_burst_keeps_no_core() {
    with_a_leaked_burst(take_back, wait_in_limbo);
}

#[test]
#[should_panic(expected = "never dropped")]
fn keeping_the_announcement_of_a_leaked_burst_is_refuted() {
    with_a_leaked_burst(Memory::review_all, wait_in_limbo);
}

#[test]
#[should_panic]
fn waiting_in_limbo_without_a_claim_is_refuted() {
    with_a_leaked_burst(take_back, |memory, shard, claim| {
        drop(claim);
        drop(memory.wait(shard));
    });
}

/// What comes to limbo after the table has looked, and before the announcement is taken back, stays.
#[test]
#[should_panic(expected = "never dropped")]
fn looking_into_limbo_before_taking_announcements_back_is_refuted() {
    with_a_leaked_burst(
        |memory| {
            memory.review_all();
            memory.bursts.forget();
        },
        wait_in_limbo,
    );
}
