//! Keys of whole words. A key of a length between is read as words that overlap.

use std::hash::{Hash, Hasher};

/// The shortest key.
pub(crate) const MIN_KEY: usize = 4;

/// A key of `W` words of eight bytes, at any address.
///
/// Within one table all keys have one length. So two of them have the same words exactly if they have the same
/// bytes, although words of a key overlap if its length is not `8 * W`.
#[derive(Clone, Copy, Eq)]
#[repr(transparent)]
pub struct Key<const W: usize>([[u8; 8]; W]);

impl<const W: usize> Key<W> {
    pub(crate) const BYTES: usize = 8 * W;

    /// Reads a key of `length` bytes.
    ///
    /// # Safety
    ///
    /// 1. So many bytes can be read.
    /// 2. `length` is at least [`MIN_KEY`] and at most [`BYTES`](Self::BYTES).
    #[inline]
    pub(crate) unsafe fn read(bytes: *const u8, length: usize) -> Self {
        debug_assert!((MIN_KEY..=Self::BYTES).contains(&length));
        let mut words = [[0; 8]; W];
        if length < 8 {
            for (half, at) in [0, length - 4].into_iter().enumerate() {
                // SAFETY: four bytes from `at` on are among the `length` that can be read (1).
                words[0][4 * half..][..4].copy_from_slice(unsafe { &*bytes.add(at).cast::<[u8; 4]>() });
            }
            return Self(words);
        }
        for (number, word) in words.iter_mut().enumerate() {
            // SAFETY: eight bytes from there on are among the `length` that can be read (1).
            *word = unsafe { *bytes.add((8 * number).min(length - 8)).cast::<[u8; 8]>() };
        }
        Self(words)
    }

    /// Writes the `length` bytes that the key was read from.
    ///
    /// # Safety
    ///
    /// 1. So many bytes can be written.
    /// 2. The key was read with the same `length`.
    pub(crate) unsafe fn write(&self, bytes: *mut u8, length: usize) {
        if length < 8 {
            for (half, at) in [0, length - 4].into_iter().enumerate() {
                let four: [u8; 4] = std::array::from_fn(|byte| self.0[0][4 * half + byte]);
                // SAFETY: as in `read`.
                unsafe { *bytes.add(at).cast::<[u8; 4]>() = four };
            }
            return;
        }
        for (number, word) in self.0.iter().enumerate() {
            // SAFETY: as in `read`.
            unsafe { *bytes.add((8 * number).min(length - 8)).cast::<[u8; 8]>() = *word };
        }
    }

    #[inline]
    fn words(&self) -> impl Iterator<Item = u64> + use<'_, W> {
        self.0.iter().map(|word| u64::from_ne_bytes(*word))
    }
}

impl<const W: usize> PartialEq for Key<W> {
    /// Without branches and without a call: keys that are compared are nearly always equal.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.words().zip(other.words()).fold(0, |differs, (word, other)| differs | (word ^ other)) == 0
    }
}

impl<const W: usize> Hash for Key<W> {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.words().for_each(|word| hasher.write_u64(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every length of a class: the bytes come back, and each of them counts.
    fn class<const W: usize>(shortest: usize) {
        for length in shortest..=8 * W {
            let bytes: Vec<u8> = (0..length as u8).map(|byte| byte.wrapping_mul(37)).collect();
            let mut back = vec![0; length];
            // SAFETY: both have `length` bytes.
            let key = unsafe { Key::<W>::read(bytes.as_ptr(), length) };
            // SAFETY: as above.
            unsafe { key.write(back.as_mut_ptr(), length) };
            assert_eq!(back, bytes);
            for byte in 0..length {
                let mut other = bytes.clone();
                other[byte] ^= 1;
                // SAFETY: as above.
                let other = unsafe { Key::<W>::read(other.as_ptr(), length) };
                assert!(other != key, "byte {byte} of {length}");
            }
        }
    }

    #[test]
    fn keys_are_their_bytes() {
        class::<1>(4);
        class::<2>(9);
        class::<3>(17);
        class::<5>(25);
        class::<6>(41);
        class::<8>(49);
    }
}
