//! The announcements of open bursts. Flows that end wait for the bursts that may be looking at them.
//!
//! A burst looks flows up without counting references. The thread that brings a flow's count to zero must not drop
//! the value while a burst that saw the flow is open. But a burst that stalls must not hold back flows that it
//! cannot have seen: those that were inserted after its last look-up (contract U4).
//!
//! # Ground rules
//!
//! * P8. The *era* is a number that is seldom incremented. The record of a flow has the era that was read before
//!   the flow was published: its *birth*. A burst has a [`Slot`] for its own, with the era that it announced.
//! * A burst announces an era, then looks at the flow (`RefWord::is_referenced`, `FlowState::is_live`), and then
//!   at the era again. If the era has moved, it announces the new one and looks at the flow again. So it uses only
//!   flows that were born by the era that it has announced: a thread that sees a flow also sees the era of its
//!   birth or a later one.
//! * A thread brings the count to zero (`RefWord::release`) and then looks at the announcements. Announcing, both
//!   looks at the flow, the end and the look at the announcements are in one total order. So of a burst and a last
//!   release, at least one sees the other: the burst sees a flow that has ended, or the other thread sees an
//!   announcement of the flow's birth or a later era.
//! * A flow that must wait is stamped with the *epoch*, which is incremented then. A burst notes the epoch when it
//!   opens. Bursts that opened in a later epoch than a flow was stamped in cannot have seen it. So a stream of
//!   overlapping bursts never holds a flow back: it waits for those that were open when it ended.
//! * Epoch and era move under one lock, that of [`Limbo`].
//! * Slots are used again. What a slot has of an earlier burst is harmless: that burst opened in no later epoch,
//!   or it opened after the flow was stamped, and then so did its successor.
//! * A thread uses the slot of its number, and others if that is taken. So opening and closing a burst touch one
//!   line, which the thread's own processor normally owns. A look-up only reads the era.
//!
//! Eras of birth come from hazard eras (Ramalhete and Correia 2017) and interval-based reclamation (Wen et al.
//! 2018). There, every retired object is compared with all announcements again and again. Here it waits in the
//! list of one burst, and is looked at again when that burst closes (see `limbo`).
//!
//! [`Limbo`]: crate::grace::limbo::Limbo

use std::cell::Cell;
use std::ops::Range;

use crossbeam::utils::CachePadded;
use flow_table_api::Timestamp;

use crate::sync::{AtomicU32, AtomicU64, AtomicUsize, OnceLock, Ordering};

/// The slot of a burst.
pub(super) struct Slot {
    /// The era that the burst has announced. Zero while no burst has the slot.
    era: AtomicU32,
    /// Not zero if flows wait for the burst. It changes under the lock of limbo.
    pub(super) awaited: AtomicU32,
    /// The epoch in which the burst was opened, or that of an earlier burst in this slot.
    since: AtomicU64,
    /// The time of the burst in nanoseconds. `NOBODY` while no burst has the slot.
    now: AtomicU64,
    pub(super) number: usize,
}

const NOBODY: u64 = u64::MAX;

/// Slots, and more of them if all are taken.
struct Group {
    slots: Box<[CachePadded<Slot>]>,
    next: OnceLock<Box<Group>>,
}

/// The announcements of one table.
pub(crate) struct Bursts {
    /// Starts at one, and stays at the greatest number if it is ever reached: flows then wait for more bursts than
    /// they need to.
    era: CachePadded<AtomicU32>,
    epoch: CachePadded<AtomicU64>,
    /// The slots from this number on were never used, and need not be looked at.
    used: AtomicUsize,
    first: Group,
}

/// An open burst's announcement. Flows that are borrowed from it may be used for as long as the burst is open.
pub(crate) struct Announcement<'t> {
    slot: &'t Slot,
    /// The era in the slot.
    era: Cell<u32>,
}

/// Proves the lock under which epoch and era are moved. It is behind the lock of limbo.
pub(crate) struct ClockLock(pub(super) ());

/// A proof that no open burst can see the flow for which it was made.
pub(crate) struct Unseen(pub(super) ());

impl Slot {
    fn new(number: usize) -> Self {
        Self {
            era: AtomicU32::new(0),
            awaited: AtomicU32::new(0),
            since: AtomicU64::new(0),
            now: AtomicU64::new(NOBODY),
            number,
        }
    }

    /// The era that the burst has announced, or zero.
    #[inline]
    fn announced(&self) -> u32 {
        // SeqCst: after the last release of a flow, and pairs with `claim`, `announce` and `close`. Acquires
        // `close`, so that what earlier bursts in the slot read comes before a drop.
        self.era.load(Ordering::SeqCst)
    }

    /// Returns `true` if the burst may see a flow of this birth that was stamped with `epoch`.
    pub(super) fn may_see(&self, birth: u32, epoch: u64) -> bool {
        // The order matters, see the ground rules. Acquire: pairs with the Release in `open`.
        birth <= self.announced() && self.since.load(Ordering::Acquire) <= epoch
    }
}

impl Group {
    fn new(numbers: Range<usize>) -> Self {
        let slots = numbers.map(|number| CachePadded::new(Slot::new(number)));
        Self { slots: slots.collect(), next: OnceLock::new() }
    }
}

impl Bursts {
    /// Makes announcements with `slots` slots, a power of two, and more of them if more bursts are open at once.
    pub(crate) fn new(slots: usize) -> Self {
        debug_assert!(slots.is_power_of_two());
        Self {
            era: CachePadded::new(AtomicU32::new(1)),
            epoch: CachePadded::new(AtomicU64::new(1)),
            used: AtomicUsize::new(0),
            first: Group::new(0..slots),
        }
    }

    /// The era, for the birth of a flow that is not published yet.
    #[inline]
    pub(crate) fn era(&self) -> u32 {
        // Relaxed: whoever sees the flow sees this era or a later one, by the publication of the flow.
        self.era.load(Ordering::Relaxed)
    }

    /// Opens a burst at `now`, of the thread with this number.
    #[inline]
    pub(crate) fn open(&self, thread: usize, now: Timestamp) -> Announcement<'_> {
        // SeqCst: pairs with `next_epoch`. If this reads a later epoch than that of a stamp, the end of the flow
        // comes before the burst's look-ups.
        let epoch = self.epoch.load(Ordering::SeqCst);
        let own = &self.first.slots[thread & (self.first.slots.len() - 1)];
        let announcement = self.claim(own).unwrap_or_else(|| self.claim_another());
        let slot = announcement.slot;
        // Release: pairs with `may_see`.
        slot.since.store(epoch, Ordering::Release);
        // Relaxed: a statistic.
        slot.now.store(now.as_nanos(), Ordering::Relaxed);
        announcement
    }

    #[inline]
    fn claim<'t>(&'t self, slot: &'t Slot) -> Option<Announcement<'t>> {
        // SeqCst: `used` comes before the announcement, so a look that misses the new `used` also comes before the
        // announcement.
        if self.used.load(Ordering::SeqCst) <= slot.number {
            self.used.fetch_max(slot.number + 1, Ordering::SeqCst);
        }
        let era = self.era();
        // SeqCst: see the ground rules.
        let claimed = slot.era.compare_exchange(0, era, Ordering::SeqCst, Ordering::Relaxed);
        claimed.is_ok().then(|| Announcement { slot, era: Cell::new(era) })
    }

    /// Claims any slot that is free. O(open bursts).
    #[cold]
    #[inline(never)]
    fn claim_another(&self) -> Announcement<'_> {
        let (mut group, mut slots) = (&self.first, 0);
        loop {
            // Relaxed: the claim decides.
            let free = group.slots.iter().filter(|slot| slot.era.load(Ordering::Relaxed) == 0);
            if let Some(claimed) = free.filter_map(|slot| self.claim(slot)).next() {
                return claimed;
            }
            slots += group.slots.len();
            group = group.next.get_or_init(|| Box::new(Group::new(slots..2 * slots)));
        }
    }

    /// Returns `true` if a flow that is there by `is_there` stays while the burst is open. It does if the era is
    /// the one that the burst has announced. Otherwise this announces the era, and looks again.
    #[inline]
    pub(crate) fn sees(&self, announcement: &Announcement<'_>, is_there: impl Fn() -> bool) -> bool {
        if !is_there() {
            return false;
        }
        if self.era() != announcement.era.get() {
            // The announcement itself is not passed on, so that the burst can be in registers.
            let (sees, era) = self.announce(announcement.slot, is_there);
            announcement.era.set(era);
            return sees;
        }
        true
    }

    /// Announces the era until it is the one that is announced, or the flow is gone. Returns `true` if the flow
    /// was there then, and the era that is announced.
    #[cold]
    #[inline(never)]
    fn announce(&self, slot: &Slot, is_there: impl Fn() -> bool) -> (bool, u32) {
        loop {
            let era = self.era();
            // SeqCst: see the ground rules.
            slot.era.swap(era, Ordering::SeqCst);
            let sees = is_there();
            if !sees || self.era() == era {
                return (sees, era);
            }
        }
    }

    /// Closes a burst. Returns the number of its slot if flows may wait for it.
    #[inline]
    pub(crate) fn close(&self, announcement: &Announcement<'_>) -> Option<usize> {
        let slot = announcement.slot;
        // Relaxed: a statistic.
        slot.now.store(NOBODY, Ordering::Relaxed);
        // SeqCst: the release half pairs with `announced`: what the burst read happens before the drop of what
        // waited for it. The total order is for the look at `awaited`, see `limbo`.
        slot.era.swap(0, Ordering::SeqCst);
        (slot.awaited.load(Ordering::SeqCst) != 0).then_some(slot.number)
    }

    fn groups(&self) -> impl Iterator<Item = &Group> {
        std::iter::successors(Some(&self.first), |group| group.next.get().map(|next| &**next))
    }

    /// The slots that were ever used, in the order of their numbers.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        // SeqCst: as in `claim`.
        let used = self.used.load(Ordering::SeqCst);
        self.groups().flat_map(|group| &group.slots).take(used).map(|slot| &**slot)
    }

    /// The latest era that an open burst has announced. Zero if none is open.
    #[inline]
    fn newest(&self) -> u32 {
        // SeqCst: as in `claim`.
        let (used, first) = (self.used.load(Ordering::SeqCst), &self.first.slots);
        let newest = first[..used.min(first.len())].iter().map(|slot| slot.announced()).fold(0, u32::max);
        if used <= first.len() { newest } else { newest.max(self.newest_of_all()) }
    }

    #[cold]
    fn newest_of_all(&self) -> u32 {
        self.slots().map(Slot::announced).fold(0, u32::max)
    }

    /// Returns a proof if no burst is open that could see flows of these births, whose counts the caller has just
    /// brought to zero.
    #[inline]
    pub(crate) fn unseen(&self, births: impl IntoIterator<Item = u32>) -> Option<Unseen> {
        let newest = self.newest();
        (newest == 0 || births.into_iter().all(|birth| newest < birth)).then_some(Unseen(()))
    }

    /// Returns `true` if a burst is open that may have looked at a flow of this birth before its mark was stamped
    /// with `epoch`.
    pub(crate) fn may_have_seen(&self, birth: u32, epoch: u64) -> bool {
        self.slots().any(|slot| slot.may_see(birth, epoch))
    }

    /// The stamp for flows that ended before this call. Bursts that open from now on do not wait for them.
    pub(super) fn next_epoch(&self, _: &mut ClockLock) -> u64 {
        // Relaxed: stored under the same lock. SeqCst: pairs with `open`.
        let epoch = self.epoch.load(Ordering::Relaxed);
        self.epoch.store(epoch + 1, Ordering::SeqCst);
        epoch
    }

    /// Begins a new era. Bursts that do not look anything up from now on do not hold back what is born in it.
    pub(super) fn next_era(&self, _: &mut ClockLock) {
        // Relaxed: see `era`.
        self.era.store(self.era().saturating_add(1), Ordering::Relaxed);
    }

    /// The earliest time of an open burst.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        // Relaxed: a statistic.
        let times = self.slots().map(|slot| slot.now.load(Ordering::Relaxed));
        times.filter(|&now| now != NOBODY).min().map(Timestamp::from_nanos)
    }

    /// What [`sees`](Self::sees) must not do: announce the era without looking again.
    #[cfg(all(test, flow_table_loom))]
    pub(crate) fn announce_only(&self, announcement: &Announcement<'_>) {
        announcement.era.set(self.announce(announcement.slot, || true).1);
    }

    /// Closes the burst in a slot of a model.
    #[cfg(all(test, flow_table_loom))]
    pub(crate) fn forget_one(&self, slot: usize) {
        self.first.slots[slot].era.swap(0, Ordering::SeqCst);
    }

    /// Takes back the announcements of leaked bursts, so that nothing waits for them. The table is being
    /// dropped, and every burst borrows it, so all announcements that are left belong to bursts that were
    /// leaked.
    pub(crate) fn forget(&self) {
        // SeqCst: pairs with `announced`, for handles that are dropped at the same time.
        self.slots().for_each(|slot| slot.era.store(0, Ordering::SeqCst));
    }
}
