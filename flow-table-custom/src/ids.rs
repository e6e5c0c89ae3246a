use std::fmt;

/// Where an entry lives: its page, and its place: the line of the page at which it starts. Two-key entries have
/// pages of their own.
///
/// ```text
///  31   30    29                     10 9            0
/// +----+------+-------------------------+--------------+
/// | –  | pair |          page           |    place     |
/// +----+------+-------------------------+--------------+
/// ```
///
/// An index is never zero, because a page starts with its header. So all-zero memory holds no index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EntryIndex(u32);

impl EntryIndex {
    pub(crate) const PLACE_BITS: u32 = 10;
    pub(crate) const PAGE_BITS: u32 = 20;
    /// The most pages of a kind.
    pub(crate) const PAGES: u32 = 1 << Self::PAGE_BITS;
    /// Places in a page, those of the header included.
    pub(crate) const PLACES: usize = 1 << Self::PLACE_BITS;
    const PAIR: u32 = 1 << 30;

    #[inline]
    pub(crate) const fn new(page: u32, place: u32, pair: bool) -> Self {
        debug_assert!((place as usize) < Self::PLACES && page < 1 << Self::PAGE_BITS);
        let bits = page << Self::PLACE_BITS | if pair { Self::PAIR } else { 0 };
        Self::from_nonzero_bits(bits | place)
    }

    #[inline]
    pub(crate) const fn page(self) -> u32 {
        self.0 >> Self::PLACE_BITS & ((1 << Self::PAGE_BITS) - 1)
    }

    /// The page among those of both kinds: the pages of one-key flows come first.
    #[inline]
    pub(crate) const fn page_of_all(self) -> u32 {
        self.0 >> Self::PLACE_BITS
    }

    #[inline]
    pub(crate) const fn place(self) -> u32 {
        self.0 & ((1 << Self::PLACE_BITS) - 1)
    }

    #[inline]
    pub(crate) const fn is_pair(self) -> bool {
        self.0 & Self::PAIR != 0
    }

    #[inline]
    pub(crate) const fn to_bits(self) -> u32 {
        self.0
    }

    /// The index with these bits, which are not all zero.
    #[inline]
    pub(crate) const fn from_nonzero_bits(bits: u32) -> Self {
        debug_assert!(bits != 0, "no entry starts where its page does");
        Self(bits)
    }

    /// The index with these bits, or `None` if they are all zero.
    #[inline]
    pub(crate) const fn from_bits(bits: u32) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits)) }
    }
}

impl fmt::Debug for EntryIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_pair() { "pair" } else { "single" };
        write!(f, "{kind} {}:{}", self.page(), self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fields_round_trip(page in 0u32..1 << 20, place in 1u32..1024, pair: bool) {
            let index = EntryIndex::new(page, place, pair);
            prop_assert_eq!((index.page(), index.place(), index.is_pair()), (page, place, pair));
            prop_assert_eq!(EntryIndex::from_bits(index.to_bits()), Some(index));
        }
    }
}
