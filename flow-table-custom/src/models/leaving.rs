//! The last handles against the end of the table: the core goes once, after everybody's last use of it.

use loom::sync::Arc;
use loom::thread::{self, JoinHandle};

use super::{Payload, explore};
use crate::keeper::Keeper;
use crate::sync::Mutex;

/// What handles reach without owning it: it must be there for as long as they look.
struct Memory {
    /// There while the core is.
    mapped: Payload,
    keeper: Keeper<Arc<Core>>,
    shards: [Mutex<Shard>; 2],
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
        self.mapped.read();
        let mut inner = self.shards[shard].lock();
        inner.entries -= 1;
        let closed = inner.closed;
        drop(inner);
        if closed {
            drop(self.keeper.count_out());
        }
    }
}

fn table() -> (Arc<Core>, Arc<Memory>) {
    let shard = || Mutex::new(Shard { entries: 1, closed: false });
    let memory = Memory { mapped: Payload::of(0), keeper: Keeper::new(), shards: [shard(), shard()] };
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
