//! Keys of C as keys of a class, a group at a time.

use std::mem::MaybeUninit;
use std::slice;

use crate::key::Key;

/// The number of keys that are copied at a time: as many as the table looks up at a time.
pub(crate) const GROUP: usize = 32;

/// Passes `count` keys to `each`, with the number of those before. Keys that fill their class stay where they are.
///
/// # Safety
///
/// 1. There are `count` keys of `length` bytes from `keys` on.
/// 2. `length` fits the class of `W`.
#[inline]
pub(crate) unsafe fn in_groups<const W: usize>(
    keys: *const u8,
    count: usize,
    length: usize,
    mut each: impl FnMut(&[Key<W>], usize),
) {
    if length == Key::<W>::BYTES {
        for at in (0..count).step_by(GROUP) {
            // SAFETY: (1), and keys of this class are aligned to bytes.
            let keys = unsafe { slice::from_raw_parts(keys.add(at * length).cast(), GROUP.min(count - at)) };
            each(keys, at);
        }
        return;
    }
    let mut group = [const { MaybeUninit::<Key<W>>::uninit() }; GROUP];
    for at in (0..count).step_by(GROUP) {
        let copied = GROUP.min(count - at);
        for (number, key) in group[..copied].iter_mut().enumerate() {
            // SAFETY: (1) and (2).
            key.write(unsafe { Key::read(keys.add((at + number) * length), length) });
        }
        // SAFETY: so many keys were written just now.
        each(unsafe { slice::from_raw_parts(group.as_ptr().cast(), copied) }, at);
    }
}
