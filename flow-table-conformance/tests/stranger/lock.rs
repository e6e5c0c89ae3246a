//! A readers-writer lock that panics where a thread would wait for itself.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

thread_local! {
    static HELD: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

pub struct Lock<T>(RwLock<T>);

pub struct Held<G> {
    guard: G,
    lock: usize,
}

impl<T> Lock<T> {
    pub const fn new(inside: T) -> Self {
        Self(RwLock::new(inside))
    }

    pub fn read(&self) -> Held<RwLockReadGuard<'_, T>> {
        let lock = self.enter();
        Held { guard: self.0.read().unwrap_or_else(PoisonError::into_inner), lock }
    }

    pub fn write(&self) -> Held<RwLockWriteGuard<'_, T>> {
        let lock = self.enter();
        Held { guard: self.0.write().unwrap_or_else(PoisonError::into_inner), lock }
    }

    /// As [`write`](Self::write), unless this thread holds the lock already.
    pub fn write_unless_held(&self) -> Option<Held<RwLockWriteGuard<'_, T>>> {
        let lock = std::ptr::from_ref(self).addr();
        HELD.with_borrow(|held| !held.contains(&lock)).then(|| self.write())
    }

    fn enter(&self) -> usize {
        let lock = std::ptr::from_ref(self).addr();
        HELD.with_borrow_mut(|held| {
            assert!(!held.contains(&lock), "deadlock: this thread holds the lock already");
            held.push(lock);
        });
        lock
    }
}

impl<G> Drop for Held<G> {
    fn drop(&mut self) {
        HELD.with_borrow_mut(|held| held.retain(|&lock| lock != self.lock));
    }
}

impl<G: Deref> Deref for Held<G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut> DerefMut for Held<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}
