use super::chunk::PAGE_BYTES;

/// Bytes of a line.
pub(super) const LINE_BYTES: usize = 64;

/// log2 of the lines in a page; shorter arrays share one.
pub(super) const PAGE_CLASS: u32 = (PAGE_BYTES / LINE_BYTES).ilog2();

const BITS: usize = u64::BITS as usize;
const WORDS: usize = (2 << PAGE_CLASS) / BITS;
const _: () = assert!(WORDS <= u32::BITS as usize);

/// The free blocks of one page, 2^k lines each: the nodes of a binary tree, a bit each.
///
/// ```text
///            1               the whole page
///       2         3          its halves
///     4   5     6   7        block b of class k is node (1 << PAGE_CLASS - k) + b
/// ```
///
/// Two buddies, nodes 2n and 2n + 1, are never both free: they would be merged to node n.
pub(super) struct Buddies {
    nodes: [u64; WORDS],
    /// The words of `nodes` that are not zero, as bits.
    words: u32,
}

impl Buddies {
    /// A page with nothing free.
    pub(super) const fn new() -> Self {
        Self { nodes: [0; WORDS], words: 0 }
    }

    /// The smallest class, `log2` or more, with a free block. It is that of the last free node before those of
    /// smaller classes.
    pub(super) fn smallest_from(&self, log2: u32) -> Option<u32> {
        let end = 2 << (PAGE_CLASS - log2);
        let node = if end <= BITS {
            (self.nodes[0] & u64::MAX >> (BITS - end)).checked_ilog2()?
        } else {
            let word = (self.words & u32::MAX >> (u32::BITS as usize - end / BITS)).checked_ilog2()?;
            word * u64::BITS + self.nodes[word as usize].ilog2()
        };
        Some(PAGE_CLASS - node.ilog2())
    }

    /// The node of the lowest free block of a class.
    fn lowest(&self, class: u32) -> Option<usize> {
        let first = 1 << (PAGE_CLASS - class);
        if first < BITS {
            let nodes = self.nodes[0] & ((1 << first) - 1) << first;
            return (nodes != 0).then(|| nodes.trailing_zeros() as usize);
        }
        let words = self.words & ((1 << (first / BITS)) - 1) << (first / BITS);
        let word = words.trailing_zeros() as usize;
        (words != 0).then(|| word * BITS + self.nodes[word].trailing_zeros() as usize)
    }

    /// Takes the lowest free block of a class that has one, frees what it has beyond 2^`log2` lines, and
    /// returns its first line.
    pub(super) fn take(&mut self, class: u32, log2: u32) -> usize {
        let node = self.lowest(class).expect("the class has a free block");
        self.set(node, false);
        for half in log2..class {
            self.set((node << (class - half)) + 1, true);
        }
        (node << class) % (1 << PAGE_CLASS)
    }

    /// Frees a block, and merges it with its free buddies. Returns `true` if the whole page is free now.
    pub(super) fn put(&mut self, line: usize, log2: u32) -> bool {
        let mut node = (1 << (PAGE_CLASS - log2)) + (line >> log2);
        // The whole page has no buddy: node 0 is never free.
        while self.is_free(node ^ 1) {
            self.set(node ^ 1, false);
            node /= 2;
        }
        self.set(node, true);
        node == 1
    }

    const fn is_free(&self, node: usize) -> bool {
        self.nodes[node / BITS] >> (node % BITS) & 1 != 0
    }

    fn set(&mut self, node: usize, free: bool) {
        let (word, bit) = (node / BITS, 1 << (node % BITS));
        if free {
            self.nodes[word] |= bit;
        } else {
            self.nodes[word] &= !bit;
        }
        let bit = 1 << word;
        self.words = if self.nodes[word] == 0 { self.words & !bit } else { self.words | bit };
    }
}
