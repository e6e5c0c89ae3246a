//! Pointers to flows, as C has them: the address of the flow, which is a multiple of 64. The lowest bit is set if
//! the reply key was looked up. The next five name the class: the lengths of key and value for which the flow's
//! table was compiled.

use std::ptr::NonNull;

use flow_table::Direction;
use flow_table::custom::{FlowEntry, FlowTable, StrongRef};

use crate::key::Key;
use crate::value::Value;

/// A flow, behind a pointer: use the functions.
///
/// A pointer to a constant flow is borrowed: from an open burst until that is closed, or from a callback until
/// that returns. Any other is a handle, which counts a reference: the caller passes each to `ft_release` once.
///
/// Pointers to one flow may differ: `ft_same` compares flows.
pub struct Flow {
    _private: [u8; 0],
}

pub(crate) type Entry<const W: usize, const N: usize> = FlowEntry<Key<W>, Value<N>>;
pub(crate) type Inner<const W: usize, const N: usize> = FlowTable<Key<W>, Value<N>>;
pub(crate) type Handle<const W: usize, const N: usize> = StrongRef<Key<W>, Value<N>>;

/// The words of keys for which tables are compiled.
pub(crate) const WORDS: [usize; 6] = [1, 2, 3, 5, 6, 8];
/// The bytes of values for which tables are compiled. With the eight bytes behind them, they fill half lines.
pub(crate) const BYTES: [usize; 5] = [8, 56, 120, 248, 520];

const REPLY: usize = 1;
const CLASS_SHIFT: u32 = 1;
const CLASS_MASK: usize = 31;
const TAGS: usize = REPLY | CLASS_MASK << CLASS_SHIFT;

/// The number of the class with exactly so many words and bytes.
pub(crate) const fn class_of(words: usize, bytes: usize) -> usize {
    let (mut word, mut byte) = (0, 0);
    while WORDS[word] != words {
        word += 1;
    }
    while BYTES[byte] != bytes {
        byte += 1;
    }
    word * BYTES.len() + byte
}

const _: () = assert!(class_of(8, 520) <= CLASS_MASK);

/// The pointer of C to a flow.
#[inline]
pub(crate) fn tagged<const W: usize, const N: usize>(
    flow: NonNull<Entry<W, N>>,
    direction: Direction,
) -> *mut Flow {
    let tags = const { class_of(W, N) << CLASS_SHIFT } | direction as usize;
    debug_assert_eq!(flow.addr().get() & TAGS, 0, "a flow starts a line");
    flow.as_ptr().cast::<Flow>().map_addr(|address| address | tags)
}

/// Gives a handle to C.
#[inline]
pub(crate) fn give<const W: usize, const N: usize>(handle: Handle<W, N>) -> *mut Flow {
    let (flow, direction) = handle.into_raw();
    tagged(flow, direction)
}

/// The class of a flow.
#[inline]
pub(crate) fn class(flow: *const Flow) -> usize {
    flow.addr() >> CLASS_SHIFT & CLASS_MASK
}

/// How it was found.
#[inline]
pub(crate) fn direction(flow: *const Flow) -> Direction {
    if flow.addr() & REPLY == 0 { Direction::Forward } else { Direction::Reply }
}

/// Whether both point to the same flow.
pub(crate) fn is_same(one: *const Flow, other: *const Flow) -> bool {
    one.addr() & !TAGS == other.addr() & !TAGS
}

/// The flow itself.
///
/// # Safety
///
/// 1. `flow` is not null and of the class of `W` and `N`.
/// 2. It is a handle, or borrowed, for as long as the result is used.
#[inline]
pub(crate) unsafe fn entry<'f, const W: usize, const N: usize>(flow: *const Flow) -> &'f Entry<W, N> {
    debug_assert_eq!(class(flow), class_of(W, N));
    // SAFETY: (1) `tagged` made it of such a flow; (2).
    unsafe { &*flow.map_addr(|address| address & !TAGS).cast() }
}

/// Takes a handle back from C.
///
/// # Safety
///
/// 1. As (1) of [`entry`].
/// 2. `give` made it, and it is taken back once.
pub(crate) unsafe fn take<const W: usize, const N: usize>(flow: *mut Flow) -> Handle<W, N> {
    // SAFETY: (1), and it was not null.
    let address = unsafe { NonNull::new_unchecked(flow.map_addr(|address| address & !TAGS).cast()) };
    // SAFETY: (2).
    unsafe { Handle::from_raw(address, direction(flow)) }
}
