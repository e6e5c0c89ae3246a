//! The door to the C code in `benches/c`, and the only unsafe code of the peers.
//!
//! # Ground rules
//!
//! [`Calls`] is `struct calls` of `benches/c/peer.h`, field by field, and [`Table`] keeps what that header asks of
//! callers:
//!
//! * A table is passed to its own library only. `new` returned it, and `free` gets it once, when the [`Table`] is
//!   dropped and so no thread is in a call.
//! * The C code locks or is lock-free, so threads may share a table. None of its memory is returned to Rust.
//! * Keys are slices of `[u64; 5]`, which is `KEY_WORDS` words each without padding, and are only read during the
//!   call. At most [`BULK`] of them are passed at once.
//! * A thread is in the table when it calls. [`Subject`](crate::subject::Subject) asks that of its callers,
//!   [`World`](crate::World) does it, and `Table::pointer` checks it in debug builds, which tests are. A check in
//!   each look-up would be measured, too.
//! * Writes to one key come from one thread at a time, as workloads give each flow to one thread.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};

use flow_table::{Timeout, Timestamp};

use crate::data::{Key, index};

/// The most keys of one batch.
pub(super) const BULK: usize = 64;

/// The functions of one peer.
#[repr(C)]
pub struct Calls {
    new: unsafe extern "C" fn(flows: u32) -> *mut c_void,
    free: unsafe extern "C" fn(table: *mut c_void),
    enter: unsafe extern "C" fn(table: *mut c_void),
    leave: unsafe extern "C" fn(table: *mut c_void),
    insert: unsafe extern "C" fn(*mut c_void, worker: u32, *const Key, value: u64, timeout: u64, now: u64) -> bool,
    hit: unsafe extern "C" fn(*mut c_void, *const Key, now: u64) -> bool,
    hit_bulk: unsafe extern "C" fn(*mut c_void, *const Key, count: u32, now: u64) -> u64,
    find: unsafe extern "C" fn(*mut c_void, *const Key, now: u64) -> bool,
    find_bulk: unsafe extern "C" fn(*mut c_void, *const Key, count: u32, now: u64) -> u64,
    remove: unsafe extern "C" fn(*mut c_void, worker: u32, *const Key) -> bool,
    expire: unsafe extern "C" fn(*mut c_void, worker: u32, now: u64) -> usize,
    reap: unsafe extern "C" fn(*mut c_void, now: u64) -> usize,
    visit: unsafe extern "C" fn(*mut c_void) -> usize,
    held: unsafe extern "C" fn(*mut c_void) -> usize,
}

unsafe extern "C" {
    #[cfg(flow_table_dpdk)]
    safe static dpdk_calls: Calls;
    #[cfg(flow_table_lfht)]
    safe static lfht_calls: Calls;
}

/// A library that a table is made of.
pub trait Library: Send + Sync + 'static {
    /// Its functions.
    fn calls() -> &'static Calls;
}

/// `rte_hash` of DPDK.
#[cfg(flow_table_dpdk)]
pub struct Dpdk;

#[cfg(flow_table_dpdk)]
impl Library for Dpdk {
    #[inline]
    fn calls() -> &'static Calls {
        &dpdk_calls
    }
}

/// `cds_lfht` of liburcu.
#[cfg(flow_table_lfht)]
pub struct Lfht;

#[cfg(flow_table_lfht)]
impl Library for Lfht {
    #[inline]
    fn calls() -> &'static Calls {
        &lfht_calls
    }
}

thread_local! {
    /// The table that this thread is in.
    static ENTERED: Cell<*mut c_void> = const { Cell::new(null_mut()) };
}

/// A table of some library.
pub(super) struct Table<L: Library> {
    table: NonNull<c_void>,
    library: PhantomData<L>,
}

// SAFETY: the C code may be called from any thread, and from several at once: see the ground rules.
unsafe impl<L: Library> Send for Table<L> {}
// SAFETY: the same.
unsafe impl<L: Library> Sync for Table<L> {}

impl<L: Library> Table<L> {
    pub(super) fn new(flows: usize) -> Self {
        let flows = u32::try_from(flows).expect("fewer than 2³² flows");
        // SAFETY: `new` takes any number.
        let table = unsafe { (L::calls().new)(flows) };
        Self { table: NonNull::new(table).expect("the library and the system have room"), library: PhantomData }
    }

    /// Before this thread's first call.
    ///
    /// # Panics
    ///
    /// Panics if the thread is in a table.
    pub(super) fn enter(&self) {
        assert!(ENTERED.replace(self.table.as_ptr()).is_null());
        // SAFETY: the table is of this library, and the thread is in no other.
        unsafe { (L::calls().enter)(self.table.as_ptr()) }
    }

    /// After its last.
    ///
    /// # Panics
    ///
    /// Panics if the thread is not in this table.
    pub(super) fn leave(&self) {
        assert_eq!(ENTERED.replace(null_mut()), self.table.as_ptr());
        // SAFETY: the table is of this library, and the thread was in it.
        unsafe { (L::calls().leave)(self.table.as_ptr()) }
    }

    /// The table, which this thread is in.
    #[inline]
    fn pointer(&self) -> *mut c_void {
        debug_assert_eq!(ENTERED.get(), self.table.as_ptr(), "the thread has not entered the table");
        self.table.as_ptr()
    }

    /// Returns `false` if there is no room.
    #[inline]
    pub(super) fn insert(&self, worker: u32, key: &Key, timeout: Timeout, now: Timestamp) -> bool {
        let (value, timeout, now) = (index(key), timeout.as_nanos(), now.as_nanos());
        // SAFETY: the table is of this library, the thread is in it, and the key is read during the call.
        unsafe { (L::calls().insert)(self.pointer(), worker, key, value, timeout, now) }
    }

    #[inline]
    pub(super) fn hit(&self, key: &Key, now: Timestamp) -> bool {
        // SAFETY: as for `insert`.
        unsafe { (L::calls().hit)(self.pointer(), key, now.as_nanos()) }
    }

    /// Returns a bit for each of up to [`BULK`] keys.
    #[inline]
    pub(super) fn hit_bulk(&self, keys: &[Key], now: Timestamp) -> u64 {
        assert!(keys.len() <= BULK);
        // SAFETY: as for `insert`; there are as many keys as the count says, and not too many.
        unsafe { (L::calls().hit_bulk)(self.pointer(), keys.as_ptr(), keys.len() as u32, now.as_nanos()) }
    }

    #[inline]
    pub(super) fn find(&self, key: &Key, now: Timestamp) -> bool {
        // SAFETY: as for `insert`.
        unsafe { (L::calls().find)(self.pointer(), key, now.as_nanos()) }
    }

    /// Returns a bit for each of up to [`BULK`] keys.
    #[inline]
    pub(super) fn find_bulk(&self, keys: &[Key], now: Timestamp) -> u64 {
        assert!(keys.len() <= BULK);
        // SAFETY: as for `hit_bulk`.
        unsafe { (L::calls().find_bulk)(self.pointer(), keys.as_ptr(), keys.len() as u32, now.as_nanos()) }
    }

    pub(super) fn remove(&self, worker: u32, key: &Key) -> bool {
        // SAFETY: as for `insert`.
        unsafe { (L::calls().remove)(self.pointer(), worker, key) }
    }

    #[inline]
    pub(super) fn expire(&self, worker: u32, now: Timestamp) -> usize {
        // SAFETY: the table is of this library, and the thread is in it.
        unsafe { (L::calls().expire)(self.pointer(), worker, now.as_nanos()) }
    }

    #[inline]
    pub(super) fn reap(&self, now: Timestamp) -> usize {
        // SAFETY: as for `expire`.
        unsafe { (L::calls().reap)(self.pointer(), now.as_nanos()) }
    }

    pub(super) fn visit(&self) -> usize {
        // SAFETY: as for `expire`.
        unsafe { (L::calls().visit)(self.pointer()) }
    }

    pub(super) fn held(&self) -> usize {
        // SAFETY: the table is of this library.
        unsafe { (L::calls().held)(self.table.as_ptr()) }
    }
}

impl<L: Library> Drop for Table<L> {
    fn drop(&mut self) {
        // SAFETY: the table is of this library, and nothing borrows it any more, so no thread is in it.
        unsafe { (L::calls().free)(self.table.as_ptr()) }
    }
}
