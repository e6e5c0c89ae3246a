//! Taking a reference against the last drop and the reuse of the entry.

use std::sync::Arc;

use loom::thread;

use super::{Payload, explore};
use crate::flows::RefWord;
use crate::sync::Mutex;

/// An entry whose payload is its generation. `free` is what the shard's lock guards.
struct Entry {
    refs: RefWord,
    payload: Payload,
    free: Mutex<bool>,
}

impl Entry {
    /// In use, in generation 0, referenced by the table.
    fn held() -> Arc<Self> {
        let entry = Self { refs: RefWord::new(), payload: Payload::of(0), free: Mutex::new(false) };
        entry.refs.publish(0, 1);
        Arc::new(entry)
    }

    /// As the drop of a handle does.
    fn let_go(&self) {
        if self.refs.release() {
            self.payload.clear();
            let mut free = self.free.lock();
            self.refs.retire();
            *free = true;
        }
    }

    /// As an insertion does: `publish` is called between the two parts of `write` if `hasty`.
    fn reuse(&self, hasty: bool) {
        let mut free = self.free.lock();
        if *free {
            *free = false;
            let generation = self.refs.generation();
            if hasty {
                self.refs.publish(generation, 1);
                self.payload.write(generation);
            } else {
                self.payload.write(generation);
                self.refs.publish(generation, 1);
            }
        }
    }
}

/// The table lets go and reuses the entry, while another thread does `read`.
fn against_reuse(hasty: bool, read: impl Fn(&Entry) + Clone + Sync + Send + 'static) {
    explore(move || {
        let (entry, read) = (Entry::held(), read.clone());
        let reader = thread::spawn({
            let entry = Arc::clone(&entry);
            move || read(&entry)
        });
        entry.let_go();
        entry.reuse(hasty);
        reader.join().unwrap();
        assert_eq!(entry.refs.count() != 0, entry.payload.is_there());
    });
}

/// As a look-up does: takes a reference only from a reference.
fn take(entry: &Entry) {
    if entry.refs.try_acquire().is_some() {
        assert_eq!(entry.payload.read(), entry.refs.generation());
        entry.let_go();
    }
}

#[test]
fn a_reference_is_to_a_whole_flow() {
    against_reuse(false, take);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn looking_before_taking_is_refuted() {
    against_reuse(false, |entry| {
        if entry.refs.is_referenced() {
            entry.refs.clone_one();
            entry.payload.read();
        }
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn publishing_before_writing_is_refuted() {
    against_reuse(true, take);
}

#[test]
fn a_weak_reference_never_becomes_another_flows() {
    against_reuse(false, |entry| {
        if entry.refs.try_acquire_generation(0) {
            assert_eq!(entry.payload.read(), 0);
            entry.let_go();
        }
    });
}

#[test]
#[should_panic(expected = "another flow")]
fn upgrading_without_the_generation_is_refuted() {
    against_reuse(false, |entry| {
        if entry.refs.try_acquire().is_some() {
            assert_eq!(entry.payload.read(), 0, "another flow");
            entry.let_go();
        }
    });
}

#[test]
fn one_of_several_holders_is_the_last() {
    explore(|| {
        let entry = Entry::held();
        let reader = || {
            let entry = Arc::clone(&entry);
            thread::spawn(move || take(&entry))
        };
        let readers = [reader(), reader()];
        entry.let_go();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert!(*entry.free.lock() && !entry.payload.is_there());
    });
}
