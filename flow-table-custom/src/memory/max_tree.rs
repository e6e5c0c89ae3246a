/// A small number per chunk, and the first chunk whose number is large enough: a tree of maxima in an array, O(log n).
///
/// ```text
///            [1]              node n has the maximum of nodes 2n and 2n + 1;
///       [2]       [3]         chunk i is leaf `leaves + i`
///     [4] [5]   [6] [7]
/// ```
///
/// Untouched parts of the array stay zero pages of the system.
pub(super) struct MaxTree {
    nodes: Vec<u8>,
}

impl MaxTree {
    /// `chunks` zeros.
    pub(super) fn new(chunks: usize) -> Self {
        Self { nodes: vec![0; 2 * chunks.next_power_of_two()] }
    }

    const fn leaves(&self) -> usize {
        self.nodes.len() / 2
    }

    pub(super) fn set(&mut self, chunk: usize, value: u8) {
        let mut node = self.leaves() + chunk;
        self.nodes[node] = value;
        while node > 1 {
            node /= 2;
            let max = self.nodes[2 * node].max(self.nodes[2 * node + 1]);
            if self.nodes[node] == max {
                return;
            }
            self.nodes[node] = max;
        }
    }

    pub(super) fn max(&self) -> u8 {
        self.nodes[1]
    }

    /// The first chunk with `value` or more; `value` is not zero.
    pub(super) fn first_at_least(&self, value: u8) -> Option<usize> {
        debug_assert_ne!(value, 0, "chunks that do not exist have zero");
        if self.max() < value {
            return None;
        }
        let mut node = 1;
        while node < self.leaves() {
            node *= 2;
            if self.nodes[node] < value {
                node += 1;
            }
        }
        Some(node - self.leaves())
    }
}

#[cfg(all(test, not(any(flow_table_loom, flow_table_shuttle))))]
mod tests {
    use super::*;
    use crate::memory::tests::config;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(config(64))]

        #[test]
        fn agrees_with_a_scan(
            (len, sets) in (1usize..70).prop_flat_map(|n| (Just(n), prop::collection::vec((0..n, 0u8..7), 1..80)))
        ) {
            let (mut tree, mut model) = (MaxTree::new(len), vec![0; len]);
            for (chunk, value) in sets {
                tree.set(chunk, value);
                model[chunk] = value;
                for wanted in 1..8 {
                    prop_assert_eq!(tree.first_at_least(wanted), model.iter().position(|&has| has >= wanted));
                }
                prop_assert_eq!(tree.max(), *model.iter().max().unwrap());
            }
        }
    }
}
