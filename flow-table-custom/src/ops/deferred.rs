use arrayvec::ArrayVec;
use flow_table_api::Direction;

use crate::flows::Entry;
use crate::handle::StrongRef;
use crate::panics::Panics;

/// References that were counted while shards were locked. They are given up under no lock, because giving up
/// the last one drops the value, which may panic, and locks the flow's shard.
pub(super) struct Deferred<K, V> {
    first: ArrayVec<StrongRef<K, V>, 8>,
    /// Further references, to flows whose tags are equal by chance.
    others: Vec<StrongRef<K, V>>,
}

impl<K, V> Deferred<K, V> {
    /// Runs `operation`, then gives up the references that it counted. `operation` must have unlocked all
    /// shards when it returns. If drops of values panic, all references are still given up and the result is
    /// dropped; then the first of these panics continues. Nothing leaks.
    #[inline]
    pub(super) fn scope<R>(operation: impl FnOnce(&mut Self) -> R) -> R {
        let mut deferred = Self { first: ArrayVec::new_const(), others: Vec::new() };
        let result = operation(&mut deferred);
        // Dropped before the function returns: if a local's drop panicked then, the result would leak.
        drop(deferred);
        result
    }

    /// Counts a reference to the flow in `entry`, if there is one.
    #[inline]
    pub(super) fn acquire(&mut self, entry: Entry<K, V>, direction: Direction) -> Option<&StrongRef<K, V>> {
        match self.first.try_push(StrongRef::acquire(entry, direction)?) {
            Ok(()) => self.first.last(),
            Err(full) => {
                self.others.push(full.element());
                self.others.last()
            }
        }
    }

    /// Takes one of the references out, as found by this key. It belongs to the caller from then on.
    pub(super) fn take(&mut self, entry: Entry<K, V>, direction: Direction) -> Option<StrongRef<K, V>> {
        let is_wanted = |flow: &StrongRef<K, V>| flow.entry() == entry && flow.direction_bit() == direction;
        if let Some(at) = self.first.iter().position(is_wanted) {
            return self.first.swap_pop(at);
        }
        self.others.iter().position(is_wanted).map(|at| self.others.swap_remove(at))
    }
}

impl<K, V> Drop for Deferred<K, V> {
    fn drop(&mut self) {
        let mut panics = Panics::none();
        panics.repeat(|| self.first.pop().or_else(|| self.others.pop()).map(drop).is_some());
        panics.resume();
    }
}
