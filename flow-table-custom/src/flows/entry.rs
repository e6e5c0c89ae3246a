//! A flow in memory.
//!
//! ```text
//! one key     | state 8 | refs 8 | options 4 | key …                  | value …           |
//! two keys    | state 8 | refs 8 | options 4 | reply key … | key …    | value …           |
//!             ^ aligned to 64 bytes
//! ```
//!
//! With a 44-byte key ([`FlowKey`](flow_table_api::FlowKey)) or a 40-byte one, a look-up and a refresh of a
//! one-key flow touch one line here. In a two-key flow, the reply key is next to the state. So a look-up by the
//! reply key (in NAT, the direction of the download) touches one line, and a look-up by the forward key two
//! adjacent lines.
//!
//! # Ground rules
//!
//! * P1. Entries are type-stable: an address that was an entry once stays one for as long as the table's core
//!   lives. `state`, `refs` and `options` are atomics. Any thread may read them at any time.
//! * P2, P3. Keys and value are initialised while the count in `refs` is not zero, and until the thread that
//!   brought it to zero has dropped them. They are read with a counted reference, or within a burst that has
//!   seen a count above zero. Only the owner of an unreferenced entry writes and drops them.
//! * P15. Keys and value of a flow that was moved ([`FlowState::begin_move`]) belong to another entry. Nobody
//!   reads them here any more, also with a reference.
//! * P5. Status and deadline are one word ([`FlowState`]). The operation that moves a flow out of `Active`
//!   counts its end.
//! * P4. The own bits of `options` are [`HELD`] and [`PAIR`]. `HELD` is set while the table owns one of the
//!   references. It changes only under the lock of the entry's shard, and is never set in a free entry. `PAIR`
//!   is set in the layout for two keys.

use std::marker::PhantomData;
use std::mem::{ManuallyDrop, offset_of};
use std::ptr::{self, NonNull};

use flow_table_api::state::{FlowOptions, FlowState, StateWord};
use flow_table_api::{Direction, Equivalent, FinalRecord, NewFlow, NewFlowParts, Status, Timeout, Timestamp};

use super::refs::RefWord;
use crate::index::Slot;
use crate::nesting::Nested;
use crate::panics::Panics;

/// The table owns one of the references.
pub(crate) const HELD: u32 = FlowOptions::OWN_0;
/// The entry has two keys.
pub(crate) const PAIR: u32 = FlowOptions::OWN_1;

#[repr(C)]
pub(crate) struct Single<K, V> {
    state: FlowState,
    refs: RefWord,
    options: FlowOptions,
    key: K,
    value: V,
}

#[repr(C)]
pub(crate) struct Pair<K, V> {
    state: FlowState,
    refs: RefWord,
    options: FlowOptions,
    reply: K,
    key: K,
    value: V,
}

/// A flow of this table, as handles and bursts show it. See [`Flow`](flow_table_api::Flow) for its methods.
#[repr(C)]
pub struct FlowEntry<K, V> {
    pub(crate) state: FlowState,
    flow: PhantomData<(K, V)>,
}

impl<K, V> FlowEntry<K, V> {
    #[inline]
    pub(crate) fn entry(&self) -> Entry<K, V> {
        Entry(NonNull::from(self))
    }

    #[inline]
    pub(crate) fn refs(&self) -> &RefWord {
        self.entry().refs()
    }

    #[inline]
    pub(crate) fn options(&self) -> &FlowOptions {
        self.entry().options()
    }
}

impl<K, V> FlowEntry<K, V> {
    /// Returns `true` if the flow, which was found by `slot`, has this key for the direction of the slot.
    #[inline]
    pub(crate) fn has_key<Q: Equivalent<K> + ?Sized>(&self, slot: Slot, key: &Q) -> bool {
        let entry = self.entry();
        // SAFETY: as for `key`; a page never changes its kind (P1), so the entry is of the slot's kind, whichever
        // flow the slot is for.
        let is_key_of = |pair| unsafe { key.equivalent(&*entry.key_pointer_of(pair, slot.direction())) };
        // Two comparisons, each with offsets that the compiler knows.
        if slot.entry().is_pair() { is_key_of(true) } else { is_key_of(false) }
    }
}

/// Where final records of flows go.
pub(crate) type Recorder<K, V> = Box<dyn Fn(FinalRecord<K, V>) + Send + Sync>;

/// The address of an entry, whatever is in it now.
pub(crate) struct Entry<K, V>(NonNull<FlowEntry<K, V>>);

impl<K, V> Clone for Entry<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Entry<K, V> {}

impl<K, V> PartialEq for Entry<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K, V> Entry<K, V> {
    /// # Safety
    ///
    /// 1. `pointer` is the start of an entry of a table of these K and V.
    /// 2. The table's core outlives the result.
    #[inline]
    pub(crate) const unsafe fn new(pointer: NonNull<FlowEntry<K, V>>) -> Self {
        Self(pointer)
    }

    #[inline]
    pub(crate) const fn as_ptr(self) -> NonNull<FlowEntry<K, V>> {
        self.0
    }

    /// The field at `offset` from the entry's start. It is found by address: chunks of memory expose their
    /// provenance for this.
    #[inline]
    fn field<T>(self, offset: usize) -> *mut T {
        ptr::with_exposed_provenance_mut(self.0.addr().get() + offset)
    }

    #[inline]
    pub(crate) fn state<'c>(self) -> &'c FlowState {
        // SAFETY: every entry has this field at this offset, in both layouts; it is atomic, and by `new` its
        // memory outlives us.
        unsafe { &*self.field(offset_of!(Single<K, V>, state)) }
    }

    #[inline]
    pub(crate) fn refs<'c>(self) -> &'c RefWord {
        // SAFETY: as for `state`.
        unsafe { &*self.field(offset_of!(Single<K, V>, refs)) }
    }

    #[inline]
    pub(crate) fn options<'c>(self) -> &'c FlowOptions {
        // SAFETY: as for `state`.
        unsafe { &*self.field(offset_of!(Single<K, V>, options)) }
    }

    /// Returns `true` if the table owns one of the references.
    #[inline]
    pub(crate) fn is_held(self) -> bool {
        self.options().own(HELD)
    }

    /// Starts loading what a look-up reads: the state and the keys.
    #[inline]
    pub(crate) fn prefetch(self, pair: bool) {
        crate::prefetch::read(self.0.as_ptr());
        if pair {
            crate::prefetch::read(self.0.as_ptr().wrapping_byte_add(64));
        }
    }

    #[inline]
    pub(crate) fn is_pair(self) -> bool {
        self.options().own(PAIR)
    }

    #[inline]
    pub(crate) fn key_pointer(self, direction: Direction) -> *mut K {
        self.key_pointer_of(self.is_pair(), direction)
    }

    /// As [`key_pointer`](Self::key_pointer), of an entry that is known to be one of a pair or not.
    #[inline]
    fn key_pointer_of(self, pair: bool, direction: Direction) -> *mut K {
        self.field(match (pair, direction) {
            (true, Direction::Forward) => offset_of!(Pair<K, V>, key),
            (true, Direction::Reply) => offset_of!(Pair<K, V>, reply),
            (false, _) => offset_of!(Single<K, V>, key),
        })
    }

    #[inline]
    pub(crate) fn value_pointer(self) -> *mut V {
        self.value_pointer_of(self.is_pair())
    }

    #[inline]
    fn value_pointer_of(self, pair: bool) -> *mut V {
        self.field(if pair { offset_of!(Pair<K, V>, value) } else { offset_of!(Single<K, V>, value) })
    }

    /// The flow, with its keys and value.
    ///
    /// # Safety
    ///
    /// 1. For as long as the result is used, the caller has a counted reference, or an open burst that saw the
    ///    count not zero after it was announced, or the lock that keeps the reference of a `HELD` entry.
    #[inline]
    pub(crate) unsafe fn flow<'c>(self) -> &'c FlowEntry<K, V>
    where
        K: 'c,
        V: 'c,
    {
        // SAFETY: by `new`, this is an entry whose memory outlives us; the reference covers an atomic only.
        unsafe { self.0.as_ref() }
    }

    /// Writes a new, detached flow that the table holds, and returns its timeout. `slack` is
    /// [`FlowOptions::SLACK`] or zero.
    ///
    /// # Safety
    ///
    /// 1. The caller owns the entry: its count is zero, its keys and value are not initialised, and nobody else
    ///    owns it.
    /// 2. `flow.reply_key()` is present exactly if the entry's page is one of pairs.
    #[inline]
    pub(crate) unsafe fn write(self, flow: NewFlow<K, V>, slack: u32) -> Timeout {
        let pair = flow.reply_key().is_some();
        // No atomic access comes before, across which compilers move no copies.
        // SAFETY: by (1) nobody reads or writes these fields, and by (2) they lie within the entry. What is copied
        // here from where the caller has it is not dropped there: `into_parts` takes it over, and it is forgotten.
        unsafe {
            self.key_pointer_of(pair, Direction::Forward).copy_from_nonoverlapping(flow.key(), 1);
            self.value_pointer_of(pair).copy_from_nonoverlapping(flow.value(), 1);
            if let Some(reply) = flow.reply_key() {
                self.key_pointer_of(pair, Direction::Reply).copy_from_nonoverlapping(reply, 1);
            }
        }
        let parts = ManuallyDrop::new(flow.into_parts());
        self.state().reset(Status::Detached, Timestamp::ZERO);
        self.options().reset(
            parts.timeout,
            parts.on_expiry,
            if pair { HELD | PAIR | slack } else { HELD | slack },
        );
        parts.timeout
    }

    /// Moves keys and value out again.
    ///
    /// # Safety
    ///
    /// 1. As (1) of [`drop_flow`](Self::drop_flow).
    pub(crate) unsafe fn take(self) -> NewFlowParts<K, V> {
        // SAFETY: by (1) the fields are initialised and nobody else reads them, now or later.
        unsafe {
            NewFlowParts {
                reply: self.is_pair().then(|| self.key_pointer(Direction::Reply).read()),
                key: self.key_pointer(Direction::Forward).read(),
                value: self.value_pointer().read(),
                timeout: self.options().timeout(),
                on_expiry: self.options().on_expiry(),
            }
        }
    }

    /// Passes keys and value on, as a final record, or else drops them. If one of these drops panics, the others
    /// still run, and `panics` keeps the panic.
    ///
    /// # Safety
    ///
    /// 1. The caller brought the count to zero, no burst that could see the entry is open, and this is done once.
    #[inline]
    pub(crate) unsafe fn drop_flow(self, records: Option<&Recorder<K, V>>, panics: &mut Panics) {
        if const { std::mem::needs_drop::<(K, V)>() } || records.is_some() {
            // SAFETY: (1) is passed on.
            unsafe { self.drop_parts(records, panics) };
        }
    }

    /// As [`drop_flow`](Self::drop_flow), of a flow that needs a drop or a record.
    ///
    /// # Safety
    ///
    /// 1. As (1) of [`drop_flow`](Self::drop_flow).
    #[inline(never)]
    unsafe fn drop_parts(self, records: Option<&Recorder<K, V>>, panics: &mut Panics) {
        // P15: keys and value of a flow that was moved are somewhere else now.
        if self.state().is_moved() {
            return;
        }
        // A flow that was only prepared has not been in the table.
        if let Some(records) = records.filter(|_| !self.state().load().is_starting()) {
            let StateWord { status, deadline } = self.state().load();
            // SAFETY: by (1).
            let NewFlowParts { key, reply, value, timeout, .. } = unsafe { self.take() };
            let _nested = Nested::enter();
            let record = FinalRecord::new((key, reply), value, status, deadline, timeout.as_duration());
            panics.catch(|| records(record));
        } else if const { std::mem::needs_drop::<(K, V)>() } {
            // SAFETY: by (1).
            let NewFlowParts { key, reply, value, .. } = unsafe { self.take() };
            let _nested = Nested::enter();
            panics.catch(|| drop(value));
            panics.catch(|| drop(key));
            panics.catch(|| drop(reply));
        }
    }
}

#[cfg(all(test, not(flow_table_loom)))]
mod tests {
    use super::*;
    use flow_table_api::FlowKey;

    const LINE: usize = 64;

    /// Look-ups by the only key, or by the reply key of two, and refreshes read the first line only.
    #[test]
    fn state_and_key_share_a_line() {
        assert_eq!(offset_of!(Single<FlowKey, u64>, key) + size_of::<FlowKey>(), LINE);
        assert_eq!(offset_of!(Single<[u64; 5], u64>, key) + size_of::<[u64; 5]>(), LINE);
        assert_eq!(offset_of!(Pair<FlowKey, u64>, reply) + size_of::<FlowKey>(), LINE);
        assert_eq!(offset_of!(Pair<[u64; 5], u64>, reply) + size_of::<[u64; 5]>(), LINE);
        assert!(offset_of!(Pair<FlowKey, u64>, key) + size_of::<FlowKey>() <= 2 * LINE);
    }

    #[test]
    fn both_layouts_start_alike() {
        type S = Single<u8, u64>;
        type P = Pair<u8, u64>;
        assert_eq!(offset_of!(S, state), offset_of!(P, state));
        assert_eq!(offset_of!(S, refs), offset_of!(P, refs));
        assert_eq!(offset_of!(S, options), offset_of!(P, options));
    }
}
