use flow_table_benches::data::mix;

/// A set of values, reduced to what a comparison needs. Two sets that differ have different sums, except with a
/// probability of 2⁻⁶⁴.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values {
    pub(super) count: u64,
    sum: u64,
}

impl Values {
    /// A set of `count` values whose mixed serial numbers add up to `sum`.
    pub(super) const fn new(count: u64, sum: u64) -> Self {
        Self { count, sum }
    }

    pub(super) const fn add(&mut self, serial: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(mix(serial));
    }

    /// Whether these are `all`, or at most `spared` fewer.
    pub(super) fn are(self, all: Self, spared: u64) -> bool {
        let short = all.count.checked_sub(self.count);
        self == all || short.is_some_and(|short| 0 < short && short <= spared)
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self { count: self.count + other.count, sum: self.sum.wrapping_add(other.sum) }
    }
}
