//! The life of an entry, as types. Each type is the right to take the next step, once.

use flow_table_api::state::FlowOptions;
use flow_table_api::{NewFlow, Timeout};

use super::at::FlowAt;
use super::entry::{HELD, Recorder};
use super::locked::Locked;
use crate::grace::Unseen;
use crate::hash::KeyHashes;
use crate::ids::EntryIndex;
use crate::panics::Panics;

/// A free entry that was taken from its slab.
pub(crate) struct Vacant<K, V> {
    pub(super) at: FlowAt<K, V>,
    pub(super) generation: u32,
}

/// A flow in its new entry, and the table's reference to the old one, in which there is nothing to drop.
pub(crate) struct Moved<K, V> {
    pub(crate) new: FlowAt<K, V>,
    pub(crate) old: TableRef<K, V>,
}

impl<K, V> Vacant<K, V> {
    /// P15. Moves a flow here that [was marked](flow_table_api::state::FlowState::mark) and whose only reference
    /// is the table's: its keys and value, its birth, and the table's reference. It is live here at once. Without
    /// `Ok`, the flow was used since it was marked, and stays where it is.
    ///
    /// # Panics
    ///
    /// If the entry is of the other kind.
    pub(crate) fn adopt(self, locked: &mut Locked, flow: FlowAt<K, V>) -> Result<Moved<K, V>, Empty<K, V>> {
        assert!(flow.is_pair() == self.at.is_pair(), "an entry of the other kind");
        let Some(deadline) = flow.entry().state().begin_move() else { return Err(Empty(self.at)) };
        // SAFETY: the flow's only reference is the table's, and by the mark nobody else has reached it since, nor
        // will: whoever meets it from now on sees that it was moved, and reads neither keys nor value. Nobody
        // drops them there.
        let parts = unsafe { flow.entry().take() };
        let (birth, hashes) = (flow.birth(), flow.hashes());
        let (new, _) = self.write(locked, parts.into(), hashes, birth);
        let new = new.publish(1);
        new.entry().state().start(deadline);
        let old = TableRef::take(flow, locked).expect("the table holds what it moves");
        Ok(Moved { new, old })
    }

    /// For tests: makes the entry one that was used so often, to be freed.
    #[cfg(all(test, not(any(flow_table_loom, flow_table_shuttle))))]
    pub(crate) fn age(self, generation: u32) -> Empty<K, V> {
        self.at.entry().refs().age(generation);
        Empty(self.at)
    }

    /// Writes a detached flow that the table holds, that is filed nowhere, and that is born in this era. Returns
    /// its timeout beside it.
    ///
    /// # Panics
    ///
    /// If the entry is not one for as many keys as the flow has.
    #[inline]
    pub(crate) fn write(
        self,
        locked: &mut Locked,
        flow: NewFlow<K, V>,
        hashes: KeyHashes,
        birth: u32,
    ) -> (Unpublished<K, V>, Timeout) {
        let Self { at, generation } = self;
        assert!(flow.reply_key().is_some() == at.is_pair() && hashes.reply.is_some() == at.is_pair());
        at.page().start_record(locked, at.index().place(), hashes, birth);
        let slack = if at.page().slack().is_zero() { 0 } else { FlowOptions::SLACK };
        // SAFETY: (1) `self` is the right to the free entry; (2) checked above.
        let timeout = unsafe { at.entry().write(flow, slack) };
        (Unpublished { at, generation }, timeout)
    }
}

/// An entry with a flow that no other thread can reach yet.
pub(crate) struct Unpublished<K, V> {
    at: FlowAt<K, V>,
    generation: u32,
}

impl<K, V> Unpublished<K, V> {
    #[inline]
    pub(crate) const fn at(&self) -> FlowAt<K, V> {
        self.at
    }

    /// Moves the flow out again.
    pub(crate) fn take_back(self) -> (NewFlow<K, V>, Empty<K, V>) {
        self.at.entry().options().clear_own(HELD);
        // SAFETY: it was written, and nobody can have read it since.
        (unsafe { self.at.entry().take() }.into(), Empty(self.at))
    }

    /// Makes the flow referenced once, by the caller, and not held by the table.
    pub(crate) fn publish_unheld(self) -> FlowAt<K, V> {
        self.at.entry().options().clear_own(HELD);
        self.publish(1)
    }

    /// Makes the flow referenced `references` times. One reference is the table's; the caller passes the others
    /// to their owners.
    #[inline]
    pub(crate) fn publish(self, references: u32) -> FlowAt<K, V> {
        self.at.entry().refs().publish(self.generation, references);
        self.at
    }
}

/// The table's own reference to a flow, taken from it because it lets the flow go (P4).
#[must_use = "the flow is never dropped if its reference is lost"]
pub(crate) struct TableRef<K, V>(FlowAt<K, V>);

impl<K, V> TableRef<K, V> {
    /// Takes the table's reference, if it has one.
    #[inline]
    pub(crate) fn take(at: FlowAt<K, V>, _: &mut Locked) -> Option<Self> {
        at.entry().options().clear_own(HELD).then_some(Self(at))
    }

    /// Gives the table a reference of its own to a flow to which the caller has one.
    pub(crate) fn hold(at: FlowAt<K, V>, _: &mut Locked) {
        at.entry().refs().clone_one();
        at.entry().options().set_own(HELD);
    }

    /// Returns the reference to the table. If the table has another one by now, the caller keeps this one.
    pub(crate) fn put_back(self, _: &mut Locked) -> Result<(), Self> {
        if self.0.entry().options().set_own(HELD) { Err(self) } else { Ok(()) }
    }

    #[inline]
    pub(crate) const fn at(&self) -> FlowAt<K, V> {
        self.0
    }

    /// Gives the reference up. If it was the last one, the caller owns the entry (P3).
    #[inline]
    pub(crate) fn release(self) -> Option<Dead<K, V>> {
        // SAFETY: (1) `self` was the reference, and the last one.
        self.0.entry().refs().release().then(|| unsafe { Dead::unreferenced(self.0) })
    }
}

/// An entry whose flow has no reference any more. Bursts may still be looking at it.
#[must_use = "the flow is never dropped otherwise"]
pub(crate) struct Dead<K, V>(FlowAt<K, V>);

impl<K, V> Dead<K, V> {
    /// An entry whose count the caller has brought to zero.
    ///
    /// # Safety
    ///
    /// 1. The caller gave up the last reference, and makes one `Dead` of it.
    #[inline]
    pub(crate) const unsafe fn unreferenced(at: FlowAt<K, V>) -> Self {
        Self(at)
    }

    #[inline]
    pub(crate) const fn at(&self) -> FlowAt<K, V> {
        self.0
    }

    /// The era in which the flow was born.
    #[inline]
    pub(crate) fn birth(&self) -> u32 {
        self.0.birth()
    }

    /// Reduces it to what limbo keeps. [`from_limbo`](Self::from_limbo) reverses this.
    pub(crate) fn into_limbo(self) -> (EntryIndex, u32) {
        (self.0.index(), self.birth())
    }

    /// Restores what limbo has returned.
    pub(crate) fn from_limbo(at: FlowAt<K, V>, _: &Unseen) -> Self {
        Self(at)
    }

    /// Drops keys and value, which no burst can see, or makes a record of them. `panics` keeps the panics.
    #[inline]
    pub(crate) fn drop_flow(
        self,
        _: &Unseen,
        records: Option<&Recorder<K, V>>,
        panics: &mut Panics,
    ) -> Empty<K, V> {
        // SAFETY: the count was brought to zero, and only once is there a `Dead` for it; no burst can see the
        // flow.
        unsafe { self.0.entry().drop_flow(records, panics) };
        Empty(self.0)
    }
}

/// An entry without a flow, to be freed in its slab.
#[must_use = "the entry is never used again otherwise"]
pub(crate) struct Empty<K, V>(pub(super) FlowAt<K, V>);

impl<K, V> Empty<K, V> {
    #[inline]
    pub(crate) const fn at(&self) -> FlowAt<K, V> {
        self.0
    }
}
