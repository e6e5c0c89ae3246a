//! An entry together with its page and its index, so that an operation need not compute one from another again.

use flow_table_api::Direction;

use super::entry::{Entry, FlowEntry};
use super::locked::Locked;
use super::page::Page;
use crate::hash::{KeyHash, KeyHashes};
use crate::ids::EntryIndex;

/// An entry with its index. An operation computes it once and passes it on.
pub(crate) struct FlowAt<K, V> {
    entry: Entry<K, V>,
    index: EntryIndex,
}

impl<K, V> Clone for FlowAt<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for FlowAt<K, V> {}

impl<K, V> FlowAt<K, V> {
    /// `entry`, which has this index.
    #[inline]
    pub(super) const fn new(entry: Entry<K, V>, index: EntryIndex) -> Self {
        Self { entry, index }
    }

    /// The same for an entry of which only the address is known.
    #[inline]
    pub(crate) fn of(entry: Entry<K, V>) -> Self {
        Self { entry, index: Page::index_of(entry) }
    }

    #[inline]
    pub(crate) const fn entry(&self) -> Entry<K, V> {
        self.entry
    }

    #[inline]
    pub(crate) fn page(&self) -> Page<K, V> {
        Page::of(self.entry, self.is_pair())
    }

    #[inline]
    pub(crate) const fn index(&self) -> EntryIndex {
        self.index
    }

    #[inline]
    pub(crate) const fn is_pair(&self) -> bool {
        self.index.is_pair()
    }

    /// The flow, if the table holds it. This is the lock of the entry's shard: the table's reference goes under it
    /// only.
    #[inline]
    pub(crate) fn held<'l>(&self, locked: &'l Locked) -> Option<&'l FlowEntry<K, V>> {
        debug_assert_eq!(self.shard(), locked.shard as usize, "the lock of another shard");
        // SAFETY: (1) the lock is borrowed for as long as the result is used.
        self.entry.is_held().then(|| unsafe { self.entry.flow() })
    }

    /// The number of the shard that the entry belongs to.
    #[inline]
    pub(crate) fn shard(&self) -> usize {
        self.page().shard()
    }

    /// The hash of one of the flow's keys. The ground rules of `page` say who may read it.
    #[inline]
    pub(crate) fn hash(&self, direction: Direction) -> KeyHash {
        match direction {
            Direction::Forward => self.page().hash(self.index.place()),
            Direction::Reply => self.page().reply_hash(self.index.place()),
        }
    }

    /// The era of the flow's birth. The ground rules of `page` say who may read it.
    #[inline]
    pub(crate) fn birth(&self) -> u32 {
        self.page().birth(self.index.place())
    }

    /// The hashes of the flow's keys. The ground rules of `page` say who may read them.
    #[inline]
    pub(crate) fn hashes(&self) -> KeyHashes {
        let reply = self.is_pair().then(|| self.hash(Direction::Reply));
        KeyHashes { forward: self.hash(Direction::Forward), reply }
    }
}
