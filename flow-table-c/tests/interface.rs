//! The interface from Rust, for machines without a C compiler. `tests/c` has the tests proper.

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use flow_table_c::*;

const SECOND: u64 = 1_000_000_000;

unsafe extern "C" fn count_end(_: *mut c_void, ends: *mut c_void) {
    // SAFETY: the context of the table below.
    unsafe { &*ends.cast::<AtomicUsize>() }.fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C" fn sum(flow: *const Flow, reason: EndReason, total: *mut c_void) {
    assert_eq!(reason, EndReason::Expired);
    // SAFETY: values are numbers, and the context of the reap below is one.
    unsafe { *total.cast::<u64>() += *ft_value(flow).cast::<u64>() };
}

#[test]
fn a_flow_lives_and_ends() {
    let ends = AtomicUsize::new(0);
    let config = Config {
        key_length: 13,
        value_size: 8,
        capacity: 1,
        destructor: Some(count_end),
        context: (&raw const ends).cast_mut().cast(),
        shards: 0,
        refresh_slack: 0,
        remove_on_expiry: false,
        prefault: 0,
        prefault_pairs: 0,
    };
    let (mut table, mut flow) = (ptr::null_mut(), ptr::null_mut());
    let (keys, value) = ([[1u8; 13], [2; 13]], 7u64);
    let (key, value) = (keys[0].as_ptr().cast(), (&raw const value).cast());
    // SAFETY: sizes are those of the configuration, and each pointer is used as the interface says.
    unsafe {
        assert_eq!(ft_table_new(&raw const config, &raw mut table), Error::None);
        assert_eq!(ft_insert(table, key, 0, value, SECOND, 0, &raw mut flow, ptr::null_mut()), Error::None);

        let burst = ft_burst_open(table, SECOND / 2);
        let (mut found, mut live) = ([ptr::null(); 2], [true; 2]);
        ft_burst_get_batch(burst, keys.as_ptr().cast(), 2, found.as_mut_ptr(), ptr::null_mut());
        ft_burst_refresh_batch(burst, found.as_ptr(), 2, live.as_mut_ptr());
        assert_eq!((live, ft_same(found[0], flow), found[1].is_null()), ([true, false], true, true));
        ft_burst_close(burst);

        let full =
            ft_insert(table, keys[1].as_ptr().cast(), 0, value, SECOND, 0, ptr::null_mut(), ptr::null_mut());
        assert_eq!(full, Error::Full);
        assert!(CStr::from_ptr(ft_error_text(full as u32)).to_str().is_ok_and(|text| text.contains("ft_reap")));

        let mut total = 0u64;
        let reaped = ft_reap(table, 2 * SECOND, usize::MAX, Some(sum), (&raw mut total).cast());
        assert_eq!((reaped.expired, reaped.more, total), (1, false, 7));
        ft_table_free(table);
        assert_eq!((ft_status(flow), ends.load(Ordering::Relaxed)), (Status::Expired, 0));
        ft_release(flow);
    }
    assert_eq!(ends.load(Ordering::Relaxed), 1);
}
