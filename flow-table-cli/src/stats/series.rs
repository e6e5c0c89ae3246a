//! What happened when.

/// Bins at most. When time goes beyond the last one, the bins become twice as wide.
const BINS: usize = 600;
/// The first width, in nanoseconds.
const WIDTH: i128 = 1_000_000;

/// Sums over one span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bin {
    /// Packets.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Records that start.
    pub started: u64,
    /// Records whose last packet is here.
    pub ended: u64,
}

/// Sums over time, in a bounded number of bins of equal width. What comes before the first packet counts for the
/// first bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    start: Option<i128>,
    width: i128,
    bins: Vec<Bin>,
    /// The bin of the last packet and the times within it, because neighbours often share it.
    current: (usize, i128, i128),
}

impl Default for Series {
    fn default() -> Self {
        Self { start: None, width: WIDTH, bins: Vec::new(), current: (0, 0, 0) }
    }
}

impl Series {
    /// Counts a packet.
    pub fn packet(&mut self, timestamp: i128, bytes: u64) {
        let (mut index, from, until) = self.current;
        if !(from..until).contains(&timestamp) {
            index = self.index(timestamp);
            let from = self.start.unwrap_or(0).saturating_add(self.width.saturating_mul(index as i128));
            self.current = (index, from, from.saturating_add(self.width));
        }
        let bin = &mut self.bins[index];
        bin.packets += 1;
        bin.bytes = bin.bytes.saturating_add(bytes);
    }

    /// Counts a record.
    pub fn record(&mut self, first: i128, last: i128) {
        let index = self.index(first);
        self.bins[index].started += 1;
        let index = self.index(last);
        self.bins[index].ended += 1;
    }

    /// The bin of this time.
    fn index(&mut self, timestamp: i128) -> usize {
        let start = *self.start.get_or_insert(timestamp);
        let since = timestamp.saturating_sub(start).max(0);
        while since / self.width >= BINS as i128 {
            self.widen();
        }
        let index = (since / self.width) as usize;
        if index >= self.bins.len() {
            self.bins.resize(index + 1, Bin::default());
        }
        index
    }

    fn widen(&mut self) {
        self.width = self.width.saturating_mul(2);
        self.current = (0, 0, 0);
        let pairs = self.bins.chunks(2).map(|pair| {
            let mut sum = pair[0];
            if let Some(second) = pair.get(1) {
                sum.packets += second.packets;
                sum.bytes = sum.bytes.saturating_add(second.bytes);
                sum.started += second.started;
                sum.ended += second.ended;
            }
            sum
        });
        self.bins = pairs.collect();
    }

    /// The time of the first bin's beginning, in nanoseconds.
    pub const fn start(&self) -> Option<i128> {
        self.start
    }

    /// The width of a bin, in nanoseconds.
    pub const fn width(&self) -> i128 {
        self.width
    }

    /// The bins.
    pub fn bins(&self) -> &[Bin] {
        &self.bins
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn any_time_has_a_bin() {
        let mut series = Series::default();
        for time in [0, i128::MIN, i128::MAX, 5, i128::MAX] {
            series.packet(time, 10);
            series.record(time, i128::MAX);
        }
        assert_eq!(series.bins().iter().map(|bin| bin.packets).sum::<u64>(), 5);
        assert!(series.bins().len() <= BINS);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_everything_is_in_its_place(times in prop::collection::vec(0i128..1 << 50, 1..200)) {
            let mut series = Series::default();
            series.packet(0, 0);
            times.iter().for_each(|time| series.packet(*time, 3));
            let mut expected = vec![0; series.bins().len()];
            expected[0] += 1;
            times.iter().for_each(|time| expected[(time / series.width()) as usize] += 1);
            prop_assert_eq!(series.bins().iter().map(|bin| bin.packets).collect::<Vec<_>>(), expected);
            prop_assert!(series.bins().len() <= BINS);
        }
    }
}
