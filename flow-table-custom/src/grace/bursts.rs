//! Who has a burst open, so that what ended can wait for those who may be looking at it.
//!
//! A burst announces itself once and then looks flows up without counting references. Whoever brings a flow's
//! count to zero must not drop the value while a burst that saw the flow is open.
//!
//! # Ground rules
//!
//! * P8. Announcing ([`Bursts::open`]) and the look at a flow's count ([`is_referenced`]) are sequentially
//!   consistent, in this order. Bringing the count to zero ([`release`]) and looking for announcements
//!   ([`Bursts::none_open`]) are too. So of a burst and a last release, at least one sees the other: the burst
//!   finds nobody there, or the releaser finds the burst.
//! * What must wait is stamped with the epoch. Announcements are counted apart for even and odd epochs; the
//!   epoch moves on only when the side of the epoch before is empty. It is stamped, and moved, under one lock,
//!   that of [`Limbo`]: so each look at a side is wholly before a stamp or wholly after it. Two moves after the
//!   stamp, both sides were seen empty *since*, so every burst that could have seen the flow is closed, on
//!   whichever side it announced itself. (It may have read the epoch long before it did.)
//! * New bursts go to the new side, so a stream of overlapping bursts never holds the epoch up. (The scheme of
//!   SRCU in the Linux kernel, which has one updater at a time for the same reason.)
//! * Counters are striped by thread: opening and closing touch one line, normally owned by the thread's own core.
//!
//! [`Limbo`]: crate::grace::limbo::Limbo
//! [`is_referenced`]: crate::flows::refs::RefWord::is_referenced
//! [`release`]: crate::flows::refs::RefWord::release

use crossbeam::utils::CachePadded;

use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// Open bursts, for the even and the odd epochs.
struct Stripe([AtomicU64; 2]);

/// The announcements of one table.
pub(crate) struct Bursts {
    epoch: CachePadded<AtomicU64>,
    /// Stripes from here on were never used: nobody need look at them.
    used: AtomicUsize,
    stripes: Box<[CachePadded<Stripe>]>,
}

/// An open burst's announcement: where it is counted. What is borrowed from it may be used for as long as the
/// burst is open.
pub(crate) struct Announcement {
    stripe: u32,
    side: u32,
}

/// Proves the lock under which the epoch moves and is stamped: it is behind that of limbo.
pub(crate) struct EpochLock(pub(super) ());

/// The result of a look at the open bursts: none of them can see the flow that the look was for.
pub(crate) struct Unseen(pub(super) ());

impl Bursts {
    /// Announcements in `stripes` stripes, a power of two.
    pub(crate) fn new(stripes: usize) -> Self {
        debug_assert!(stripes.is_power_of_two());
        let stripe = || CachePadded::new(Stripe([AtomicU64::new(0), AtomicU64::new(0)]));
        Self {
            epoch: CachePadded::new(AtomicU64::new(0)),
            used: AtomicUsize::new(0),
            stripes: std::iter::repeat_with(stripe).take(stripes).collect(),
        }
    }

    /// Announces a burst of the thread with this number.
    #[inline]
    pub(crate) fn open(&self, thread: usize) -> Announcement {
        let stripe = thread & (self.stripes.len() - 1);
        // SeqCst throughout: see the ground rules. `used` comes before the announcement, so whoever does not
        // see it comes before the announcement too.
        if self.used.load(Ordering::SeqCst) <= stripe {
            self.used.fetch_max(stripe + 1, Ordering::SeqCst);
        }
        let side = self.epoch.load(Ordering::SeqCst) & 1;
        self.stripes[stripe].0[side as usize].fetch_add(1, Ordering::SeqCst);
        Announcement { stripe: stripe as u32, side: side as u32 }
    }

    /// Takes the announcement back.
    #[inline]
    pub(crate) fn close(&self, announced: &Announcement) {
        // Its release half pairs with `is_empty`: what the burst read happens before what it waited for is
        // dropped.
        self.stripes[announced.stripe as usize].0[announced.side as usize].fetch_sub(1, Ordering::SeqCst);
    }

    fn is_empty(&self, side: usize) -> bool {
        let used = self.used.load(Ordering::SeqCst);
        // SeqCst: pairs with `open` for the total order, and acquires `close`.
        self.stripes[..used].iter().all(|stripe| stripe.0[side].load(Ordering::SeqCst) == 0)
    }

    /// Whether no burst is open that could see a flow whose count the caller has just brought to zero.
    #[inline]
    pub(crate) fn none_open(&self) -> Option<Unseen> {
        (self.is_empty(0) && self.is_empty(1)).then_some(Unseen(()))
    }

    /// The stamp for something that ended before this call.
    pub(crate) fn stamp(&self, _: &mut EpochLock) -> u64 {
        // Relaxed: stored under the same lock.
        self.epoch.load(Ordering::Relaxed)
    }

    /// Moves the epoch on as far as open bursts allow; everything stamped before the result may go.
    pub(crate) fn safe_before(&self, _: &mut EpochLock) -> u64 {
        // Relaxed: stored under the same lock.
        let mut epoch = self.epoch.load(Ordering::Relaxed);
        for _ in 0..2 {
            if !self.is_empty((epoch + 1) as usize & 1) {
                break;
            }
            epoch += 1;
            // SeqCst: pairs with `open`, so that new bursts go to the new side.
            self.epoch.store(epoch, Ordering::SeqCst);
        }
        epoch.saturating_sub(1)
    }

    /// What [`safe_before`](Self::safe_before) must not be: a look at a side may be older than the stamp that
    /// it lets go.
    #[cfg(all(test, flow_table_loom))]
    pub(crate) fn safe_before_without_lock(&self) -> u64 {
        for _ in 0..2 {
            let epoch = self.epoch.load(Ordering::SeqCst);
            if !self.is_empty((epoch + 1) as usize & 1) {
                break;
            }
            let _ = self.epoch.compare_exchange(epoch, epoch + 1, Ordering::SeqCst, Ordering::SeqCst);
        }
        self.epoch.load(Ordering::SeqCst).saturating_sub(1)
    }

    /// The table ends, and no burst can be used any more, as each borrows it: announcements that are left are
    /// of bursts that were leaked. They are taken back, so that nothing waits for them.
    pub(crate) fn forget(&self) {
        for stripe in &self.stripes {
            // SeqCst: pairs with `is_empty`, for handles that are dropped meanwhile.
            stripe.0.iter().for_each(|side| side.store(0, Ordering::SeqCst));
        }
    }
}

#[cfg(all(test, not(flow_table_loom)))]
mod tests {
    use super::*;

    #[test]
    fn garbage_waits_for_older_bursts_only() {
        let (bursts, mut lock) = (Bursts::new(4), EpochLock(()));
        assert!(bursts.none_open().is_some());
        let old = bursts.open(1);
        assert!(bursts.none_open().is_none());
        let stamp = bursts.stamp(&mut lock);
        assert!(bursts.safe_before(&mut lock) <= stamp);
        let young = bursts.open(2);
        assert!(bursts.safe_before(&mut lock) <= stamp);
        bursts.close(&old);
        bursts.safe_before(&mut lock);
        let younger = bursts.open(1);
        bursts.close(&young);
        assert!(bursts.safe_before(&mut lock) > stamp, "only a burst that opened later is left");
        bursts.close(&younger);
        assert!(bursts.none_open().is_some());
    }

    #[test]
    fn overlapping_bursts_never_hold_the_epoch_up() {
        let (bursts, mut lock) = (Bursts::new(1), EpochLock(()));
        let mut open = bursts.open(0);
        let first = bursts.stamp(&mut lock);
        for _ in 0..8 {
            let next = bursts.open(0);
            bursts.close(&open);
            open = next;
            bursts.safe_before(&mut lock);
        }
        assert!(bursts.safe_before(&mut lock) > first);
    }

    #[test]
    fn nothing_waits_for_leaked_bursts_of_a_table_that_has_ended() {
        let (bursts, mut lock) = (Bursts::new(2), EpochLock(()));
        bursts.open(0);
        bursts.safe_before(&mut lock);
        bursts.open(1);
        let stamp = bursts.stamp(&mut lock);
        bursts.forget();
        assert!(bursts.none_open().is_some() && bursts.safe_before(&mut lock) > stamp);
    }
}
