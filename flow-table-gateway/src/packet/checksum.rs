//! The Internet checksum (RFC 1071), and its incremental update (RFC 1624, equation 3).

const fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// The sum of these bytes as 16-bit words, not complemented.
fn sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(2).map(|word| match *word {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        _ => u32::from(word[0]) << 8,
    });
    // At most 32,768 words: no overflow.
    words.sum()
}

/// The checksum of these bytes.
pub(crate) fn of(bytes: &[u8]) -> u16 {
    !fold(sum(bytes))
}

/// The checksum of an ICMPv6 message: it covers a pseudo header, too (RFC 8200 §8.1).
pub(crate) fn of_icmpv6(addresses: &[u8], message: &[u8]) -> u16 {
    let header = sum(addresses) + message.len() as u32 + u32::from(crate::packet::protocol::ICMPV6);
    !fold(u32::from(fold(header)) + u32::from(fold(sum(message))))
}

/// The change of a sum, when words that it covers change.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Change(u32);

impl Change {
    /// One word changes.
    pub(crate) fn word(&mut self, old: u16, new: u16) {
        self.0 = u32::from(fold(self.0 + u32::from(!old) + u32::from(new)));
    }

    /// Updates the checksum in these two bytes.
    pub(crate) fn apply(self, field: &mut [u8]) {
        let old = u16::from_be_bytes([field[0], field[1]]);
        field.copy_from_slice(&(!fold(u32::from(!old) + self.0)).to_be_bytes());
    }

    /// Updates the partial checksum in these two bytes: a sum that is not complemented yet.
    pub(crate) fn apply_partial(self, field: &mut [u8]) {
        let old = u16::from_be_bytes([field[0], field[1]]);
        field.copy_from_slice(&fold(u32::from(old) + self.0).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_update_is_what_a_new_sum_is(
            mut bytes in proptest::collection::vec(any::<u8>(), 4..80),
            at: u8,
            new: u16,
        ) {
            bytes.truncate(bytes.len() / 2 * 2);
            bytes[0] |= 1; // A header never sums up to zero.
            let at = 2 + usize::from(at) % (bytes.len() / 2 - 1) * 2;
            let mut field = of(&bytes).to_be_bytes();
            let mut partial = fold(sum(&bytes)).to_be_bytes();
            let mut change = Change::default();
            change.word(u16::from_be_bytes([bytes[at], bytes[at + 1]]), new);
            bytes[at..at + 2].copy_from_slice(&new.to_be_bytes());
            change.apply(&mut field);
            change.apply_partial(&mut partial);
            prop_assert_eq!(u16::from_be_bytes(field), of(&bytes));
            prop_assert_eq!(u16::from_be_bytes(partial), !of(&bytes));
        }
    }

    #[test]
    fn an_odd_byte_is_the_high_one() {
        assert_eq!(of(&[0x12, 0x34, 0x56]), !(0x1234 + 0x5600));
        // RFC 1071, section 3.
        assert_eq!(of(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }
}
