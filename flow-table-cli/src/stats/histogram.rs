/// Counts of values by their order of magnitude: the bucket `n` counts values of `n` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram([u64; 65]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; 65])
    }
}

impl Histogram {
    /// Counts a value.
    pub const fn add(&mut self, value: u64) {
        self.0[(u64::BITS - value.leading_zeros()) as usize] += 1;
    }

    /// The counts, each with the smallest value of its bucket, without empty buckets at the end.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let used = self.0.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        let floor = |bits: usize| if bits == 0 { 0 } else { 1 << (bits - 1) };
        self.0[..used].iter().enumerate().map(move |(bits, count)| (floor(bits), *count))
    }
}
