use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A count with a limit, and the highest value that it had since memory was last given back.
///
/// Count and limit are the halves of one word. So no increment uses a limit that has been lowered in the meantime,
/// and no second word can hold another limit. The count never exceeds 2³² - 1, and a higher limit counts as that.
///
/// `Relaxed` throughout: the count changes in single atomic steps, and no access to other memory depends on it.
#[derive(Debug)]
pub(crate) struct Watermark {
    word: AtomicU64,
    peak: AtomicUsize,
}

const COUNT_BITS: u32 = 32;
const COUNT_MASK: u64 = u32::MAX as u64;

fn limited(limit: usize, count: u64) -> u64 {
    u64::from(u32::try_from(limit).unwrap_or(u32::MAX)) << COUNT_BITS | count
}

impl Default for Watermark {
    fn default() -> Self {
        Self::limited(usize::MAX)
    }
}

impl Watermark {
    /// A count of zero with this limit.
    pub(crate) fn limited(limit: usize) -> Self {
        Self { word: AtomicU64::new(limited(limit, 0)), peak: AtomicUsize::default() }
    }

    pub(crate) fn set_limit(&self, limit: usize) {
        let change = |word: u64| Some(limited(limit, word & COUNT_MASK));
        let _ = self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }

    /// The limit.
    pub(crate) fn limit(&self) -> usize {
        (self.word.load(Ordering::Relaxed) >> COUNT_BITS) as usize
    }

    /// The count.
    pub(crate) fn get(&self) -> usize {
        (self.word.load(Ordering::Relaxed) & COUNT_MASK) as usize
    }

    /// Counts one more, whatever the limit.
    pub(crate) fn add(&self) {
        let before = self.word.fetch_add(1, Ordering::Relaxed);
        self.raise((before & COUNT_MASK) as usize + 1);
    }

    /// Counts one more if the count is below the limit, and returns `true` if it was.
    pub(crate) fn add_below(&self) -> bool {
        let more = |word: u64| (word & COUNT_MASK < word >> COUNT_BITS).then(|| word + 1);
        let before = self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        before.inspect(|word| self.raise((word & COUNT_MASK) as usize + 1)).is_ok()
    }

    /// Counts some less.
    pub(crate) fn sub(&self, some: usize) {
        self.word.fetch_sub(some as u64, Ordering::Relaxed);
    }

    fn raise(&self, count: usize) {
        // The load saves a full table the second locked instruction.
        if count > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(count, Ordering::Relaxed);
        }
    }

    /// Returns `true` if less than half is left of the highest count since memory was last given back. Only one
    /// caller gets `true`, and it should give memory back now. So the cost is in proportion to what has gone.
    pub(crate) fn has_fallen(&self) -> bool {
        /// Giving back less than this is not worth the effort.
        const SMALL: usize = 64;
        let (count, peak) = (self.get(), self.peak.load(Ordering::Relaxed));
        peak >= SMALL
            && count < peak / 2
            && self.peak.compare_exchange(peak, count, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds() {
        let watermark = Watermark::limited(2);
        assert_eq!([(); 3].map(|()| watermark.add_below()), [true, true, false]);
        assert_eq!(watermark.get(), 2);
        watermark.set_limit(1);
        assert!(!watermark.add_below());
        watermark.sub(1);
        assert_eq!((watermark.add_below(), watermark.limit()), (false, 1));
        watermark.set_limit(usize::MAX);
        assert_eq!((watermark.add_below(), watermark.limit()), (true, u32::MAX as usize));
    }

    #[test]
    fn the_limit_holds_in_a_race() {
        let watermark = Watermark::limited(2);
        let barrier = std::sync::Barrier::new(4);
        let highest = std::thread::scope(|scope| {
            let run = || {
                barrier.wait();
                (0..50_000).fold(0, |highest, _| {
                    let counted = watermark.add_below();
                    let now = watermark.get();
                    watermark.sub(usize::from(counted));
                    highest.max(now)
                })
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).max()
        });
        assert!(highest <= Some(2), "{highest:?}");
        assert_eq!(watermark.get(), 0);
    }

    #[test]
    fn half_gone_is_told_once() {
        let watermark = Watermark::default();
        (0..100).for_each(|_| watermark.add());
        (0..100).for_each(|_| assert!(watermark.add_below()));
        watermark.sub(100);
        assert!(!watermark.has_fallen(), "half is left");
        watermark.sub(1);
        assert!(watermark.has_fallen());
        assert!(!watermark.has_fallen(), "told already");
        watermark.sub(99);
        assert!(watermark.has_fallen());
        (0..10).for_each(|_| watermark.add());
        watermark.sub(10);
        assert!(!watermark.has_fallen(), "too small to matter");
    }
}
