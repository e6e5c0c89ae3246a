use std::sync::atomic::{AtomicUsize, Ordering};

/// A count of what something holds, with the highest it was since memory was given back last.
///
/// `Relaxed` throughout: the count is changed in single atomic steps and no other memory is read by its strength.
#[derive(Debug, Default)]
pub(crate) struct Watermark {
    count: AtomicUsize,
    peak: AtomicUsize,
}

impl Watermark {
    pub(crate) fn get(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts one more.
    pub(crate) fn add(&self) {
        self.raise(self.count.fetch_add(1, Ordering::Relaxed) + 1);
    }

    /// Counts one more if there are less than `limit` gives; whether it did.
    pub(crate) fn add_below(&self, limit: impl Fn() -> usize) -> bool {
        let more = |count: usize| (count < limit()).then(|| count + 1);
        let before = self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        if let Ok(before) = before {
            self.raise(before + 1);
        }
        before.is_ok()
    }

    /// Counts some less.
    pub(crate) fn sub(&self, some: usize) {
        self.count.fetch_sub(some, Ordering::Relaxed);
    }

    fn raise(&self, count: usize) {
        // The load spares a full table the second locked instruction.
        if count > self.peak.load(Ordering::Relaxed) {
            self.peak.fetch_max(count, Ordering::Relaxed);
        }
    }

    /// Whether less than half is left of what there was when memory was given back last. Says so once, to the one who
    /// is to give it back now: so what that costs is paid for by what has gone.
    pub(crate) fn has_fallen(&self) -> bool {
        /// Less than this is not worth the trouble.
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
        let watermark = Watermark::default();
        assert!(watermark.add_below(|| 2) && watermark.add_below(|| 2));
        assert!(!watermark.add_below(|| 2) && !watermark.add_below(|| 0));
        assert_eq!(watermark.get(), 2);
    }

    #[test]
    fn the_limit_holds_in_a_race() {
        let watermark = Watermark::default();
        let barrier = std::sync::Barrier::new(4);
        let highest = std::thread::scope(|scope| {
            let run = || {
                barrier.wait();
                (0..50_000).fold(0, |highest, _| {
                    let counted = watermark.add_below(|| 2);
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
        (0..100).for_each(|_| assert!(watermark.add_below(|| 200)));
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
