use flow_table_benches::data::mix;

/// Repeatable choices for one thread.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64, thread: usize) -> Self {
        Self(mix(seed) ^ mix(thread as u64 + 1))
    }

    /// A number below `sides`, which is not zero.
    pub(super) fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (mix(self.0) >> 16) as usize % sides
    }

    /// Returns `true` once in this many times.
    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// An element, if there is one.
    pub(super) fn pick<'s, E>(&mut self, slice: &'s [E]) -> Option<&'s E> {
        if slice.is_empty() { None } else { slice.get(self.below(slice.len())) }
    }
}
