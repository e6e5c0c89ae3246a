//! A table of any class.

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use flow_table::Flow as _;
use flow_table::{
    Admission, Budget, Direction, EndReason, Ended, FlowSpec, Inserted, KeyHash, NewFlow, ReapReport, Stats,
    Table, Timeout, Timestamp,
};

use crate::error::Error;
use crate::group::{GROUP, in_groups};
use crate::key::Key;
use crate::open::{Burst, BurstOf};
use crate::raw::{self, Flow, Handle, Inner};
use crate::settings::Settings;
use crate::value::Value;

/// A flow to insert.
pub(crate) struct Incoming {
    pub(crate) key: *const u8,
    /// May be null.
    pub(crate) reply: *const u8,
    /// Zero if it is not known.
    pub(crate) hash: u64,
    /// May be null.
    pub(crate) value: *const c_void,
    pub(crate) timeout: Timeout,
}

/// The operations of a table.
///
/// # Safety of the functions
///
/// 1. Keys are not null, and have the table's length.
/// 2. Where there are `count` keys, there is room for as many flows.
/// 3. Flows are not null, and handles or borrowed.
pub(crate) trait AnyTable: Send + Sync {
    unsafe fn hash(&self, key: *const u8) -> u64;
    unsafe fn lookup(&self, key: *const u8, now: Timestamp) -> *mut Flow;
    unsafe fn lookup_batch(&self, keys: *const u8, count: usize, now: Timestamp, flows: *mut *mut Flow);
    /// 4. The burst is closed before the table is dropped.
    unsafe fn burst(&self, now: Timestamp) -> NonNull<Burst>;

    unsafe fn insert(&self, flow: Incoming, now: Timestamp) -> Result<(*mut Flow, *mut Flow), Error>;
    unsafe fn get_or_insert(&self, flow: Incoming, now: Timestamp) -> Result<(*mut Flow, bool), Error>;

    unsafe fn set_timeout(&self, flow: *const Flow, timeout: Timeout, now: Timestamp) -> Error;
    unsafe fn set_deadline(&self, flow: *const Flow, deadline: Timestamp) -> Error;
    unsafe fn remove(&self, key: *const u8) -> *mut Flow;
    unsafe fn remove_flow(&self, flow: *const Flow) -> Result<bool, Error>;

    fn reap(&self, now: Timestamp, budget: Budget, ended: &mut dyn FnMut(*const Flow, EndReason)) -> ReapReport;
    fn for_each(&self, visit: &mut dyn FnMut(*const Flow));
    fn next_deadline(&self) -> Option<Timestamp>;
    fn len(&self) -> usize;
    fn capacity(&self) -> usize;
    fn set_capacity(&self, flows: usize);
    fn stats(&self) -> Stats;
}

/// A table of the class of `W` and `N`.
pub(crate) struct TableOf<const W: usize, const N: usize> {
    table: Inner<W, N>,
    settings: Settings,
}

/// Passes a handle to `visit` as borrowed.
fn lend<const W: usize, const N: usize>(handle: &Handle<W, N>, visit: impl FnOnce(*const Flow)) {
    visit(raw::tagged(NonNull::from(&**handle), Direction::Forward));
}

impl<const W: usize, const N: usize> TableOf<W, N> {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { table: Inner::with_config(settings.config()), settings: settings.clone() }
    }

    /// # Safety
    ///
    /// 1. As (1) of [`AnyTable`].
    #[inline]
    unsafe fn key(&self, bytes: *const u8) -> Key<W> {
        // SAFETY: (1); the class was chosen for keys of this length.
        unsafe { Key::read(bytes, self.settings.key_length) }
    }

    /// # Safety
    ///
    /// 1. As (1) of [`AnyTable`], for both keys if there are two.
    unsafe fn spec(&self, flow: &Incoming) -> FlowSpec<Key<W>> {
        // SAFETY: (1).
        let mut spec = FlowSpec::new(unsafe { self.key(flow.key) });
        if !flow.reply.is_null() {
            // SAFETY: (1).
            spec = spec.reply(unsafe { self.key(flow.reply) });
        }
        if flow.hash != 0 {
            spec = spec.hashed(KeyHash::new(flow.hash));
        }
        spec.timeout(flow.timeout).on_expiry(self.settings.on_expiry)
    }

    /// # Safety
    ///
    /// 1. A value has the table's size, or is null.
    unsafe fn value(&self, flow: &Incoming) -> Value<N> {
        // SAFETY: (1); the class was chosen for values of this size.
        unsafe { Value::new(flow.value, self.settings.value_size, self.settings.owner.clone()) }
    }

    /// A handle to a flow of this class.
    ///
    /// # Safety
    ///
    /// 1. As (3) of [`AnyTable`].
    unsafe fn handle(&self, flow: *const Flow) -> Result<Handle<W, N>, Error> {
        if raw::class(flow) != const { raw::class_of(W, N) } {
            return Err(Error::Foreign);
        }
        // SAFETY: it is of this class, and (1).
        unsafe { raw::entry::<W, N>(flow) }.handle(raw::direction(flow)).ok_or(Error::NotLive)
    }
}

fn give_up<const W: usize, const N: usize>(flow: NewFlow<Key<W>, Value<N>>) {
    flow.into_parts().value.give_up();
}

impl<const W: usize, const N: usize> AnyTable for TableOf<W, N> {
    unsafe fn hash(&self, key: *const u8) -> u64 {
        // SAFETY: the caller's 1.
        self.table.hash(&unsafe { self.key(key) }).get()
    }

    unsafe fn lookup(&self, key: *const u8, now: Timestamp) -> *mut Flow {
        // SAFETY: the caller's 1.
        self.table.lookup(&unsafe { self.key(key) }, now).map_or(ptr::null_mut(), raw::give)
    }

    unsafe fn lookup_batch(&self, keys: *const u8, count: usize, now: Timestamp, flows: *mut *mut Flow) {
        let mut found = Vec::with_capacity(count.min(GROUP));
        let look_up = |keys: &[Key<W>], at: usize| {
            self.table.lookup_batch(keys, now, &mut found);
            for (number, flow) in found.drain(..).enumerate() {
                // SAFETY: the caller's 2.
                unsafe { *flows.add(at + number) = flow.map_or(ptr::null_mut(), raw::give) };
            }
        };
        // SAFETY: the caller's 1.
        unsafe { in_groups(keys, count, self.settings.key_length, look_up) };
    }

    unsafe fn burst(&self, now: Timestamp) -> NonNull<Burst> {
        // SAFETY: the caller's 4.
        let table: &'static Inner<W, N> = unsafe { &*ptr::from_ref(&self.table) };
        BurstOf::<W, N>::open(table, now, self.settings.key_length)
    }

    unsafe fn insert(&self, flow: Incoming, now: Timestamp) -> Result<(*mut Flow, *mut Flow), Error> {
        // SAFETY: the caller's 1.
        let flow = unsafe { self.spec(&flow).value(self.value(&flow)) };
        match self.table.insert(flow, now) {
            Ok(Inserted { flow, replaced, .. }) => {
                Ok((raw::give(flow), replaced.map_or(ptr::null_mut(), raw::give)))
            }
            Err(error) => {
                let number = Error::of_insertion(&error);
                give_up(error.into_flow());
                Err(number)
            }
        }
    }

    unsafe fn get_or_insert(&self, flow: Incoming, now: Timestamp) -> Result<(*mut Flow, bool), Error> {
        // SAFETY: the caller's 1.
        let (spec, value) = unsafe { (self.spec(&flow), || self.value(&flow)) };
        match self.table.get_or_insert_with(spec, now, value) {
            Ok(Admission::Inserted(flow)) => Ok((raw::give(flow), true)),
            Ok(Admission::Existing { holder, rejected, .. }) => {
                rejected.into_iter().for_each(give_up);
                Ok((raw::give(holder), false))
            }
            Err(error) => {
                let number = Error::of_insertion(&error);
                give_up(error.into_flow());
                Err(number)
            }
        }
    }

    unsafe fn set_timeout(&self, flow: *const Flow, timeout: Timeout, now: Timestamp) -> Error {
        // SAFETY: the caller's 3.
        match unsafe { self.handle(flow) } {
            Ok(flow) => Error::of_deadline(&flow.set_timeout(timeout, now)),
            Err(error) => error,
        }
    }

    unsafe fn set_deadline(&self, flow: *const Flow, deadline: Timestamp) -> Error {
        // SAFETY: the caller's 3.
        match unsafe { self.handle(flow) } {
            Ok(flow) => Error::of_deadline(&flow.set_deadline(deadline)),
            Err(error) => error,
        }
    }

    unsafe fn remove(&self, key: *const u8) -> *mut Flow {
        // SAFETY: the caller's 1.
        self.table.remove(&unsafe { self.key(key) }).map_or(ptr::null_mut(), raw::give)
    }

    unsafe fn remove_flow(&self, flow: *const Flow) -> Result<bool, Error> {
        // SAFETY: the caller's 3.
        let flow = unsafe { self.handle(flow) }?;
        self.table.remove_flow(&flow).map_err(|_| Error::Foreign)
    }

    fn reap(&self, now: Timestamp, budget: Budget, ended: &mut dyn FnMut(*const Flow, EndReason)) -> ReapReport {
        self.table.reap_with(now, budget, |Ended { flow, reason }| lend(&flow, |flow| ended(flow, reason)))
    }

    fn for_each(&self, visit: &mut dyn FnMut(*const Flow)) {
        self.table.for_each(|flow| lend(flow, &mut *visit));
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.table.next_deadline()
    }

    fn len(&self) -> usize {
        self.table.len()
    }

    fn capacity(&self) -> usize {
        self.table.capacity()
    }

    fn set_capacity(&self, flows: usize) {
        self.table.set_capacity(flows);
    }

    fn stats(&self) -> Stats {
        self.table.stats()
    }
}
