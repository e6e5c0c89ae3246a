use std::sync::atomic::{AtomicU64, Ordering, fence};

use crossbeam::utils::{Backoff, CachePadded};

use crate::base::sync::{self, Mutex, MutexGuard};

/// Locks that serialize writers per key.
///
/// An insertion must look at two keys, decide, and change two slots of the map, which may or may not share a
/// shard. It cannot keep a guard of the map in the meantime. So insertion, reinsertion and removal hold the
/// stripes of all keys concerned for as long as they run, taken in ascending order. Writers of one key run one
/// after the other. Crossing pairs cannot deadlock. What a writer has read of its keys stays true, except that
/// flows may end.
///
/// Look-ups use only the map. If a look-up finds a flow that is not live, and so may be half way in or out, it
/// looks again until no writer of the stripe was at work in the meantime (contract X1). So it may wait for
/// writers, but nothing waits for it (contract L6). A look-up that finds a flow due expires it as a writer, so
/// that the end of the flow and the result of the look-up are one step.
///
/// **Ground rule**: the only user code that runs under a stripe is `Eq` of keys. Other values that may be dropped
/// or cloned are in variables that outlive the guard, or are handled before it.
pub(crate) struct Stripes(Box<[CachePadded<Stripe>]>);

#[derive(Default)]
struct Stripe {
    writer: Mutex<()>,
    /// The number of times that a writer has come or gone. It is odd while a writer is at work.
    turns: AtomicU64,
}

/// Holds the stripes of one key or two.
pub(crate) struct Held<'s> {
    _first: Turn<'s>,
    _second: Option<Turn<'s>>,
}

/// Holds one stripe.
struct Turn<'s> {
    turns: &'s AtomicU64,
    _writer: MutexGuard<'s, ()>,
}

impl Stripe {
    fn hold(&self) -> Turn<'_> {
        let writer = sync::lock(&self.writer);
        self.turns.fetch_add(1, Ordering::Relaxed);
        // Pairs with the fence in `settled`: a thread that sees anything that this writer changes sees that it has
        // come.
        fence(Ordering::Release);
        Turn { turns: &self.turns, _writer: writer }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Release: pairs with the first load in `settled`, which then shows all that this writer changed.
        self.turns.fetch_add(1, Ordering::Release);
    }
}

impl Stripes {
    /// Makes at least `wished` stripes.
    pub(crate) fn new(wished: usize) -> Self {
        Self((0..wished.next_power_of_two()).map(|_| CachePadded::default()).collect())
    }

    /// The bytes that the stripes occupy.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.0)
    }

    const fn index(&self, hash: u64) -> usize {
        // The map takes its shard from other bits.
        (hash >> 16) as usize & (self.0.len() - 1)
    }

    /// Returns what `look` returns for the key with this hash while no writer of the key is at work. May call
    /// `look` more than once, under no lock.
    pub(crate) fn settled<R>(&self, hash: u64, mut look: impl FnMut() -> R) -> R {
        let turns = &self.0[self.index(hash)].turns;
        let backoff = Backoff::new();
        loop {
            // Acquire: pairs with the Release of `Turn::drop`.
            let before = turns.load(Ordering::Acquire);
            if before.is_multiple_of(2) {
                let seen = look();
                // Pairs with the fence in `Stripe::hold`.
                fence(Ordering::Acquire);
                if turns.load(Ordering::Relaxed) == before {
                    return seen;
                }
            }
            backoff.snooze();
        }
    }

    /// Holds the stripes of the keys with these hashes.
    pub(crate) fn hold(&self, hash: u64, other: Option<u64>) -> Held<'_> {
        let one = self.index(hash);
        let two = other.map_or(one, |hash| self.index(hash));
        Held { _first: self.0[one.min(two)].hold(), _second: (one != two).then(|| self.0[one.max(two)].hold()) }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::thread;

    use super::*;

    fn is_held(stripe: &Stripe) -> bool {
        let odd = stripe.turns.load(Ordering::Relaxed) % 2 == 1;
        assert_eq!(stripe.writer.try_lock().is_err(), odd);
        odd
    }

    #[test]
    fn two_keys_of_one_stripe_are_locked_once() {
        let stripes = Stripes::new(1);
        let held = stripes.hold(1 << 16, Some(2 << 16));
        assert!(is_held(&stripes.0[0]));
        drop(held);
        assert!(!is_held(&stripes.0[0]));
    }

    #[test]
    fn both_orders_take_the_same_two_stripes() {
        let stripes = Stripes::new(4);
        for (hash, other) in [(1 << 16, 3 << 16), (3 << 16, 1 << 16)] {
            let held = stripes.hold(hash, Some(other));
            assert_eq!([0, 1, 2, 3].map(|index| is_held(&stripes.0[index])), [false, true, false, true]);
            drop(held);
        }
    }

    #[test]
    fn a_look_at_a_key_stands_if_no_writer_came_meanwhile() {
        let stripes = Stripes::new(2);
        let looks = Cell::new(0);
        let seen = stripes.settled(0, || {
            looks.set(looks.get() + 1);
            // Writers of the other stripe do not matter.
            drop(stripes.hold(1 << 16, None));
            if looks.get() < 3 {
                drop(stripes.hold(0, None));
            }
            looks.get()
        });
        assert_eq!(seen, 3);
    }

    #[test]
    fn a_look_waits_for_a_writer_and_for_nobody_else() {
        let stripes = Stripes::new(1);
        let looked = AtomicU64::new(0);
        let held = stripes.hold(0, None);
        thread::scope(|scope| {
            let look = scope.spawn(|| stripes.settled(0, || looked.fetch_add(1, Ordering::Relaxed)));
            (0..10_000).for_each(|_| thread::yield_now());
            assert_eq!(looked.load(Ordering::Relaxed), 0, "looked while a writer was at work");
            drop(held);
            look.join().expect("no panic");
        });
        assert_eq!(looked.into_inner(), 1);
        // A look does not keep others out.
        stripes.settled(0, || stripes.settled(0, || ()));
    }
}
