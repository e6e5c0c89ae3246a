//! Handles: strong references, which count in the flow's own word, and weak ones, which know the generation of
//! their entry. P2: every strong reference is made of another one.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;

use flow_table_api::{Direction, Flow, FlowRef, WeakFlowRef};

use crate::core::Core;
use crate::flows::{Dead, Entry, FlowEntry, TableRef, Unpublished};
use crate::ids::EntryIndex;
use crate::panics::Panics;
use crate::sync::Arc;

/// A handle: a counted strong reference to a flow, in one word. See [`FlowRef`].
pub struct StrongRef<K, V> {
    /// The entry's address. Its lowest bit is set if the reply key was looked up.
    tagged: NonNull<u8>,
    flow: PhantomData<(K, V)>,
}

const REPLY: usize = 1;

// SAFETY: a handle allows shared access to the flow, and the last handle drops the flow: both need what an
// `Arc` needs.
unsafe impl<K: Send + Sync, V: Send + Sync> Send for StrongRef<K, V> {}
// SAFETY: as for Send.
unsafe impl<K: Send + Sync, V: Send + Sync> Sync for StrongRef<K, V> {}

impl<K, V> StrongRef<K, V> {
    /// Makes a handle of a counted reference.
    ///
    /// # Safety
    ///
    /// 1. The caller has a counted reference to the flow in `entry` and passes it to the handle.
    #[inline]
    unsafe fn from_counted(entry: Entry<K, V>, direction: Direction) -> Self {
        let tag = if direction == Direction::Reply { REPLY } else { 0 };
        Self { tagged: entry.as_ptr().cast::<u8>().map_addr(|address| address | tag), flow: PhantomData }
    }

    /// Counts a reference to the flow in an entry, if there is a flow.
    #[inline]
    pub(crate) fn acquire(entry: Entry<K, V>, direction: Direction) -> Option<Self> {
        entry.refs().try_acquire()?;
        // SAFETY: the reference was counted just now.
        Some(unsafe { Self::from_counted(entry, direction) })
    }

    /// As [`acquire`](Self::acquire), if the flow is the one that the entry had in this generation.
    pub(crate) fn acquire_generation(entry: Entry<K, V>, generation: u32, direction: Direction) -> Option<Self> {
        // SAFETY: the reference was counted just now.
        entry.refs().try_acquire_generation(generation).then(|| unsafe { Self::from_counted(entry, direction) })
    }

    /// Publishes a new flow with two references: the table's and the caller's.
    #[inline]
    pub(crate) fn publish(flow: Unpublished<K, V>) -> Self {
        let at = flow.publish(2);
        // SAFETY: one of the two references is the table's, and the other one is this.
        unsafe { Self::from_counted(at.entry(), Direction::Forward) }
    }

    /// Publishes a new flow that the table does not hold.
    pub(crate) fn publish_unheld(flow: Unpublished<K, V>) -> Self {
        let at = flow.publish_unheld();
        // SAFETY: the reference is this.
        unsafe { Self::from_counted(at.entry(), Direction::Forward) }
    }

    /// Makes a handle of the table's reference.
    #[inline]
    pub(crate) fn from_table(flow: TableRef<K, V>) -> Self {
        // SAFETY: a `TableRef` is a counted reference.
        unsafe { Self::from_counted(flow.at().entry(), Direction::Forward) }
    }

    /// Another handle to the same flow, as found by this key.
    pub(crate) fn by(&self, direction: Direction) -> Self {
        self.refs().clone_one();
        // SAFETY: the reference was counted just now.
        unsafe { Self::from_counted(self.entry(), direction) }
    }

    #[inline]
    pub(crate) fn entry(&self) -> Entry<K, V> {
        let pointer = self.tagged.as_ptr().map_addr(|address| address & !REPLY).cast::<FlowEntry<K, V>>();
        // SAFETY: (1) `from_counted` was given this entry; (2) a core lives while any of its entries is
        // referenced.
        unsafe { Entry::new(NonNull::new_unchecked(pointer)) }
    }
}

/// For interfaces to other languages: handles as addresses.
impl<K, V> StrongRef<K, V> {
    /// Gives the handle up for the address of its flow, and the direction in which it was found. The reference
    /// stays counted until [`from_raw`](Self::from_raw) makes a handle of it again. The address is a multiple of
    /// 64, and may be dereferenced until then.
    pub fn into_raw(self) -> (NonNull<FlowEntry<K, V>>, Direction) {
        let handle = ManuallyDrop::new(self);
        (handle.entry().as_ptr(), handle.direction_bit())
    }

    /// Makes a handle of what [`into_raw`](Self::into_raw) returned.
    ///
    /// # Safety
    ///
    /// 1. `flow` came from `into_raw` of a handle with the same `K` and `V`.
    /// 2. It is made into a handle once for each `into_raw` that returned it.
    pub unsafe fn from_raw(flow: NonNull<FlowEntry<K, V>>, direction: Direction) -> Self {
        // SAFETY: by 1 this is an entry, whose core its counted reference keeps; by 2 that reference is passed on.
        unsafe { Self::from_counted(Entry::new(flow), direction) }
    }
}

impl<K, V> FlowEntry<K, V> {
    /// Another handle to this flow, which somebody else holds or has borrowed, as found in this direction.
    ///
    /// Returns `None` if the flow has ended and no counted reference to it is left: then only bursts can see it.
    pub fn handle(&self, direction: Direction) -> Option<StrongRef<K, V>> {
        // While a handle or a burst lends the flow to the caller, the entry cannot be reused for another one.
        StrongRef::acquire(self.entry(), direction)
    }
}

impl<K, V> Deref for StrongRef<K, V> {
    type Target = FlowEntry<K, V>;

    #[inline]
    fn deref(&self) -> &FlowEntry<K, V> {
        // SAFETY: this handle is a counted reference, and outlives the borrow.
        unsafe { self.entry().flow() }
    }
}

impl<K, V> Clone for StrongRef<K, V> {
    #[inline]
    fn clone(&self) -> Self {
        self.refs().clone_one();
        Self { ..*self }
    }
}

impl<K, V> Drop for StrongRef<K, V> {
    #[inline]
    fn drop(&mut self) {
        if self.refs().release() {
            self.drop_slow();
        }
    }
}

impl<K, V> StrongRef<K, V> {
    #[cold]
    #[inline(never)]
    fn drop_slow(&mut self) {
        let mut panics = Panics::none();
        // SAFETY: this handle was the last reference, and its drop is over after this.
        let dead = unsafe { Dead::unreferenced(self.at()) };
        let core = NonNull::new(dead.at().page().core().cast_mut().cast::<Core<K, V>>()).expect("not at zero");
        // SAFETY: the core lives while any of its entries is in use, and this one is until it is freed within
        // `finish`. The core itself may have to be dropped last. It comes back in `keeper`, so that no
        // reference to it is left then.
        let keeper = unsafe { core.as_ref() }.finish(dead, &mut panics);
        drop(keeper);
        panics.resume();
    }
}

impl<K, V> PartialEq for StrongRef<K, V> {
    /// Compares by identity, whatever the directions.
    fn eq(&self, other: &Self) -> bool {
        self.entry() == other.entry()
    }
}

impl<K, V> Eq for StrongRef<K, V> {}

impl<K, V> Hash for StrongRef<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.entry().as_ptr().hash(state);
    }
}

impl<K, V> fmt::Debug for StrongRef<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StrongRef")
            .field("state", &Flow::state(&**self).load())
            .field("direction", &self.direction_bit())
            .finish_non_exhaustive()
    }
}

impl<K, V> StrongRef<K, V> {
    #[inline]
    pub(crate) fn direction_bit(&self) -> Direction {
        if self.tagged.addr().get() & REPLY == 0 { Direction::Forward } else { Direction::Reply }
    }
}

impl<K: Send + Sync, V: Send + Sync> FlowRef<K, V> for StrongRef<K, V> {
    type Flow = FlowEntry<K, V>;
    type Weak = WeakRef<K, V>;

    #[inline]
    fn direction(&self) -> Direction {
        self.direction_bit()
    }

    fn downgrade(&self) -> WeakRef<K, V> {
        self.refs().keep_entry();
        WeakRef {
            core: self.core().share(),
            index: self.at().index(),
            generation: self.refs().generation(),
            direction: self.direction(),
        }
    }
}

/// A reference that does not keep the flow's value alive. It names the entry and the generation in which the
/// entry had the flow. See [`WeakFlowRef`].
///
/// It keeps the table's memory, though not its flows: the memory does not go back to the system before the last
/// weak reference is gone.
pub struct WeakRef<K, V> {
    core: Arc<Core<K, V>>,
    index: EntryIndex,
    generation: u32,
    direction: Direction,
}

impl<K, V> Clone for WeakRef<K, V> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), ..*self }
    }
}

impl<K, V> PartialEq for WeakRef<K, V> {
    /// Compares by identity, whatever the directions.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core) && (self.index, self.generation) == (other.index, other.generation)
    }
}

impl<K, V> Eq for WeakRef<K, V> {}

impl<K, V> Hash for WeakRef<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.index, self.generation).hash(state);
    }
}

impl<K, V> fmt::Debug for WeakRef<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakRef").field("direction", &self.direction).finish_non_exhaustive()
    }
}

impl<K: Send + Sync, V: Send + Sync> WeakFlowRef<K, V> for WeakRef<K, V> {
    type Strong = StrongRef<K, V>;

    fn upgrade(&self) -> Option<StrongRef<K, V>> {
        StrongRef::acquire_generation(self.core.shards.arena.entry(self.index), self.generation, self.direction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(any(flow_table_loom, flow_table_shuttle)))]
    #[test]
    fn a_handle_goes_through_an_address_and_back() {
        use flow_table_api::{NewFlow, Table, Timestamp};
        let table = crate::FlowTable::<u32, u32>::new(10);
        drop(table.insert(NewFlow::new(1, 5).reply(2), Timestamp::ZERO).expect("there is room"));
        let handle = table.lookup(&2, Timestamp::ZERO).expect("just inserted");
        let (flow, direction) = handle.clone().into_raw();
        assert_eq!((flow.addr().get() % 64, direction), (0, Direction::Reply));
        assert_eq!(handle.refs().count(), 3, "the table's, the handle's, and the address's");
        // SAFETY: the address is a counted reference, and becomes a handle once.
        let back = unsafe {
            assert_eq!(*flow.as_ref().value(), 5);
            StrongRef::from_raw(flow, direction)
        };
        assert_eq!((&back, back.direction()), (&handle, Direction::Reply));
        let third = back.handle(Direction::Forward).expect("it is held");
        drop((back, third));
        assert_eq!(handle.refs().count(), 2);
    }

    #[test]
    fn a_handle_is_one_word() {
        assert_eq!(size_of::<StrongRef<u64, u64>>(), 8);
        assert_eq!(size_of::<Option<StrongRef<u64, u64>>>(), 8);
    }
}
