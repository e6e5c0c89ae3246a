//! An open burst of any class: it begins with pointers to its functions.

use std::ptr::{self, NonNull};

use flow_table::{Borrowed, Burst as _, Flow as _, KeyHash, Table as _, Timestamp, custom};

use crate::group::{GROUP, in_groups};
use crate::key::Key;
use crate::raw::{self, Entry, Flow, Inner};
use crate::value::Value;

/// An open burst, behind a pointer. It belongs to the thread that opened it.
pub struct Burst {
    _private: [u8; 0],
}

/// What an open burst of any class begins with.
#[repr(C)]
pub(crate) struct Head {
    pub(crate) get: unsafe fn(NonNull<Burst>, *const u8) -> *const Flow,
    pub(crate) get_batch: unsafe fn(NonNull<Burst>, *const u8, usize, *mut u64, *mut *const Flow),
    pub(crate) refresh_batch: unsafe fn(NonNull<Burst>, *const *const Flow, usize, *mut bool),
    pub(crate) close: unsafe fn(NonNull<Burst>),
}

type Found<const W: usize, const N: usize> = Vec<Option<Borrowed<'static, Entry<W, N>>>>;

/// The operations of an open burst.
///
/// # Safety
///
/// 1. The burst is open.
pub(crate) unsafe fn head<'b>(burst: NonNull<Burst>) -> &'b Head {
    // SAFETY: (1), and every open burst begins with its head.
    unsafe { burst.cast().as_ref() }
}

/// A burst of the class of `W` and `N`.
#[repr(C)]
pub(crate) struct BurstOf<const W: usize, const N: usize> {
    head: Head,
    key_length: usize,
    burst: custom::FlowBurst<'static, Key<W>, Value<N>>,
    /// Room that calls share.
    found: Found<W, N>,
    /// The same, for callers that want hashes.
    hashes: Vec<KeyHash>,
}

impl<const W: usize, const N: usize> BurstOf<W, N> {
    pub(crate) fn open(table: &'static Inner<W, N>, now: Timestamp, key_length: usize) -> NonNull<Burst> {
        let head = Head {
            get: Self::get,
            get_batch: Self::get_batch,
            refresh_batch: Self::refresh_batch,
            close: Self::close,
        };
        let found = Vec::with_capacity(GROUP);
        let open = Box::new(Self { head, key_length, burst: table.burst(now), found, hashes: Vec::new() });
        NonNull::from(Box::leak(open)).cast()
    }

    fn pointer(flow: Option<Borrowed<'_, Entry<W, N>>>) -> *const Flow {
        flow.map_or(ptr::null_mut(), |flow| raw::tagged(NonNull::from(flow.flow()), flow.direction()))
    }

    /// # Safety
    ///
    /// 1. `burst` is what `open` returned.
    /// 2. There is a key.
    unsafe fn get(burst: NonNull<Burst>, key: *const u8) -> *const Flow {
        // SAFETY: (1).
        let Self { key_length, burst, .. } = unsafe { burst.cast::<Self>().as_ref() };
        // SAFETY: (2).
        Self::pointer(burst.get(&unsafe { Key::read(key, *key_length) }))
    }

    /// # Safety
    ///
    /// 1. `burst` is what `open` returned, and only this call uses it.
    /// 2. There are `count` keys, room for as many flows, and for as many hashes unless `hashes` is null.
    unsafe fn get_batch(
        burst: NonNull<Burst>,
        keys: *const u8,
        count: usize,
        hashes: *mut u64,
        flows: *mut *const Flow,
    ) {
        // SAFETY: (1).
        let Self { key_length, burst, found, hashes: room, .. } = unsafe { burst.cast::<Self>().as_mut() };
        // SAFETY: flows stay borrowed while the burst is open, and it is before `found` is dropped.
        let burst: &'static custom::FlowBurst<'static, Key<W>, Value<N>> = unsafe { &*ptr::from_ref(burst) };
        let look_up = |keys: &[Key<W>], at: usize| {
            if hashes.is_null() {
                burst.get_batch(keys, found);
            } else {
                burst.hash_batch(keys, room);
                burst.get_batch_hashed(keys, room, found);
                for (number, hash) in room.iter().enumerate() {
                    // SAFETY: (2).
                    unsafe { *hashes.add(at + number) = hash.get() };
                }
            }
            for (number, flow) in found.iter().enumerate() {
                // SAFETY: (2).
                unsafe { *flows.add(at + number) = Self::pointer(*flow) };
            }
        };
        // SAFETY: (2).
        unsafe { in_groups(keys, count, *key_length, look_up) };
    }

    /// # Safety
    ///
    /// 1. `burst` is what `open` returned.
    /// 2. There are `count` flows that it borrowed, or null, and room for as many answers.
    unsafe fn refresh_batch(burst: NonNull<Burst>, flows: *const *const Flow, count: usize, live: *mut bool) {
        // SAFETY: (1).
        let now = unsafe { burst.cast::<Self>().as_ref() }.burst.now();
        for number in 0..count {
            // SAFETY: (2); what the burst borrowed is of its class.
            unsafe {
                let flow = *flows.add(number);
                *live.add(number) = !flow.is_null() && raw::entry::<W, N>(flow).refresh(now);
            }
        }
    }

    /// # Safety
    ///
    /// 1. `burst` is what `open` returned, and this is its last use.
    unsafe fn close(burst: NonNull<Burst>) {
        // SAFETY: (1).
        drop(unsafe { Box::from_raw(burst.cast::<Self>().as_ptr()) });
    }
}
