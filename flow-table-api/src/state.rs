//! The status and the deadline of a flow in one atomic word. All backends share it, so that S1 and D1–D5 are
//! proved once.
//!
//! ```text
//!  63   62 61                                             0
//! +--------+------------------------------------------------+
//! | status |                 deadline, ns                   |    FlowState
//! +--------+------------------------------------------------+
//!  31   30   29      28     27                              0
//! +-----+-----+-------+--------+-----------------------------+
//! | own | own | slack | forget |         timeout             |    FlowOptions (two bits are the backend's own)
//! +-----+-----+-------+--------+-----------------------------+
//! ```
//!
//! `Active` is the highest status. So a flow is live at `now` if its word is above that of an active flow with the
//! deadline `now`, and a sum that is too large for a deadline saturates by itself.
//!
//! The words of cancelled flows use 61 bits for the deadline. Those with bit 61 set are active flows that are
//! *marked*: a backend may be about to move them to other memory (see [`FlowState::mark`]). So marks cost the
//! usual operations nothing: a marked flow fails the comparison above, and what comes then looks again.
//!
//! Every change of either half of the word is one compare-and-swap. So an expiry that has seen an old deadline
//! fails if a refresh has moved it since: a granted refresh is never lost (contract D2).

use std::fmt;
use std::time::Duration;

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::time::saturating_nanos;
use crate::{OnExpiry, Status, Timeout, Timestamp};

/// Both halves of a [`FlowState`], read at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateWord {
    /// The status.
    pub status: Status,
    /// The deadline. For a flow that has ended: its last deadline, but at least 1 ns (see
    /// [`is_starting`](Self::is_starting)). If a cancelled flow's deadline was 2⁶¹ - 1 ns or later, which is 73
    /// years, it is [`Timestamp::MAX`].
    pub deadline: Timestamp,
}

impl StateWord {
    const STATUS_SHIFT: u32 = 62;
    /// The word of an active flow with deadline zero: the lowest one of an active flow without a mark.
    const ACTIVE: u64 = (Status::Active as u64) << Self::STATUS_SHIFT;
    /// The upper three bits of a marked flow's word, and the bits below them.
    const MARKED: u64 = (Status::Cancelled as u64) << 1 | 1;
    const MARKED_SHIFT: u32 = Self::STATUS_SHIFT - 1;
    const BELOW_MARK: u64 = (1 << Self::MARKED_SHIFT) - 1;
    /// The flow was moved, and is somewhere else now.
    const MOVED: u64 = Self::MARKED << Self::MARKED_SHIFT;
    /// A detached flow that is about to come back. The word would mean a cancelled flow with deadline zero,
    /// which does not exist.
    const DETACHED_RETURNS: u64 = (Status::Cancelled as u64) << Self::STATUS_SHIFT;

    #[inline]
    const fn pack(self) -> u64 {
        let deadline = self.deadline.as_nanos();
        let deadline = match self.status {
            Status::Cancelled if deadline > Self::BELOW_MARK => Self::BELOW_MARK,
            _ => deadline,
        };
        (self.status as u64) << Self::STATUS_SHIFT | deadline
    }

    /// The word of an active flow.
    #[inline]
    const fn active(deadline: Timestamp) -> u64 {
        Self { status: Status::Active, deadline }.pack()
    }

    #[inline]
    const fn unpack(word: u64) -> Self {
        let status = match word >> Self::STATUS_SHIFT {
            0 => Status::Detached,
            1 => Status::Expired,
            2 => return Self::unpack_cancelled(word),
            _ => Status::Active,
        };
        Self { status, deadline: Timestamp::from_nanos(word & Timestamp::MAX.as_nanos()) }
    }

    /// As [`unpack`](Self::unpack), for the words of cancelled flows and those that are told from them by their
    /// deadlines.
    #[cold]
    const fn unpack_cancelled(word: u64) -> Self {
        let status = match word {
            Self::DETACHED_RETURNS => Status::Detached,
            // Nobody takes a flow that was moved for one that can start or end.
            Self::MOVED => return Self { status: Status::Cancelled, deadline: Timestamp::from_nanos(1) },
            _ if Self::is_marked(word) => Status::Active,
            _ => Status::Cancelled,
        };
        let deadline = match word & Self::BELOW_MARK {
            Self::BELOW_MARK => Timestamp::MAX,
            deadline => Timestamp::from_nanos(deadline),
        };
        Self { status, deadline }
    }

    /// Returns `true` if the word is that of a marked flow, or of one that was moved.
    #[inline]
    const fn is_marked(word: u64) -> bool {
        word >> Self::MARKED_SHIFT == Self::MARKED
    }

    /// The marked word of an active flow. `None` if it cannot be marked: its deadline is zero, or so late that
    /// there is no such word.
    const fn marked(self) -> Option<u64> {
        match self.deadline.as_nanos() {
            0 => None,
            never if never == Timestamp::MAX.as_nanos() => Some(Self::MOVED | Self::BELOW_MARK),
            deadline if deadline < Self::BELOW_MARK => Some(Self::MOVED | deadline),
            _ => None,
        }
    }

    /// Returns `true` if the flow has not become active yet: it is new ([`FlowState::reset`]) or about to come
    /// back ([`FlowState::prepare`]). Its word is that of a detached or expired flow with deadline zero. The
    /// end of a flow never leaves such a word.
    #[inline]
    pub fn is_starting(self) -> bool {
        self.deadline == Timestamp::ZERO && matches!(self.status, Status::Detached | Status::Expired)
    }

    /// The word after the flow's end. It keeps the last deadline, but is never the word of a flow that is about
    /// to start.
    fn ended(self, status: Status) -> Self {
        Self { status, deadline: self.deadline.max(Timestamp::from_nanos(1)) }
    }

    /// Returns `true` if the flow is active and `now` is before its deadline (contract T3).
    #[inline]
    pub fn is_live(self, now: Timestamp) -> bool {
        self.status == Status::Active && now < self.deadline
    }
}

/// The result of [`FlowState::expire`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// This call ended the flow. The caller counts the end.
    Expired,
    /// The flow is active until this deadline.
    NotDue(Timestamp),
    /// The flow had ended before, or was never active. Holds its status.
    NotActive(Status),
}

/// For backends: a flow's status and deadline in one atomic word. Users see it through [`StateView`].
///
/// All-zero memory is a detached flow. Every change acquires and releases: an operation that ends or revives a
/// flow sees what earlier ones wrote to the flow, and later ones see what it wrote. (Each change pairs with the
/// compare-and-swap of the others and with the `Acquire` of [`load`](Self::load).)
pub struct FlowState(AtomicU64);

impl FlowState {
    /// A detached flow with deadline zero.
    #[cfg(not(flow_table_loom))]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// A detached flow with deadline zero.
    #[cfg(flow_table_loom)]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Overwrites the word with `status` and `deadline`, for a new flow in memory that the backend owns and
    /// reuses.
    #[inline]
    pub fn reset(&self, status: Status, deadline: Timestamp) {
        // Relaxed: whatever publishes the new flow releases this too.
        self.0.store(StateWord { status, deadline }.pack(), Ordering::Relaxed);
    }

    /// Reads status and deadline at one moment.
    #[inline]
    pub fn load(&self) -> StateWord {
        // Pairs with the release half of `transition`.
        StateWord::unpack(self.0.load(Ordering::Acquire))
    }

    /// Returns `true` if the flow is active and `now` is before its deadline (contract T3).
    #[inline]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.is_live_unmarked(now) || self.is_live_without_mark(now)
    }

    /// Returns `true` if the flow is live at `now` and not [marked](Self::mark): one comparison. It is for
    /// look-ups that look again, and for backends that mark no flow.
    #[inline]
    pub fn is_live_unmarked(&self, now: Timestamp) -> bool {
        // SeqCst: a burst may rely on it instead of looking for a reference: an active flow is referenced, and
        // ends before its last reference is given up. Pairs with `transition`.
        StateWord::active(now) < self.0.load(Ordering::SeqCst)
    }

    /// The deadline of a flow that is live at `now`.
    #[inline]
    pub fn live_until(&self, now: Timestamp) -> Option<Timestamp> {
        // Acquire: as in `load`.
        let word = self.0.load(Ordering::Acquire);
        if word >= StateWord::ACTIVE {
            let deadline = word - StateWord::ACTIVE;
            return (now.as_nanos() < deadline).then(|| Timestamp::from_nanos(deadline));
        }
        if StateWord::is_marked(word) { Self::live_until_of(StateWord::unpack(word), now) } else { None }
    }

    #[cold]
    fn live_until_of(word: StateWord, now: Timestamp) -> Option<Timestamp> {
        word.is_live(now).then_some(word.deadline)
    }

    /// As [`is_live`](Self::is_live), after taking the flow's mark off, if it has one.
    #[cold]
    #[inline(never)]
    fn is_live_without_mark(&self, now: Timestamp) -> bool {
        // It may be marked again in between.
        while self.take_mark_off() {
            let word = self.0.load(Ordering::SeqCst);
            if !StateWord::is_marked(word) {
                return StateWord::active(now) < word;
            }
        }
        false
    }

    /// Marks an active flow as one that the backend may move to other memory. Returns `false` if it is not active,
    /// or its deadline is zero, or from 2⁶¹ - 1 ns on and not [`Timestamp::MAX`].
    ///
    /// A mark changes nothing that users see. Every change of the word takes it off. Whoever wants to use the
    /// flow's keys or value, and was not excluded by other means, first calls [`settle`](Self::settle) or finds
    /// the flow [live](Self::is_live). So a flow that is still marked was used by nobody since.
    pub fn mark(&self) -> bool {
        // SeqCst: before the look for those who use the flow already; pairs with `settle` and `is_live`.
        let word = self.0.load(Ordering::SeqCst);
        let old = StateWord::unpack(word);
        let marked = if old.status == Status::Active { old.marked() } else { None };
        marked.is_some_and(|new| self.0.compare_exchange(word, new, Ordering::SeqCst, Ordering::SeqCst).is_ok())
    }

    /// Returns `true` if the flow is marked, and was not moved.
    pub fn is_marked(&self) -> bool {
        self.marked_word().is_some()
    }

    /// The word of a flow that is marked, and was not moved.
    fn marked_word(&self) -> Option<u64> {
        // SeqCst: as in `mark`.
        let word = self.0.load(Ordering::SeqCst);
        (StateWord::is_marked(word) && word != StateWord::MOVED).then_some(word)
    }

    /// Declares a flow that is still marked to be moved. Returns its deadline, or `None` if the mark is gone. From
    /// then on, the flow is not there any more for those who meet this word, and never will be again.
    pub fn begin_move(&self) -> Option<Timestamp> {
        let word = self.marked_word()?;
        // SeqCst: pairs with `settle` and `is_live`: whoever looked before has taken the mark off.
        let moved = self.0.compare_exchange(word, StateWord::MOVED, Ordering::SeqCst, Ordering::SeqCst);
        moved.is_ok().then(|| StateWord::unpack(word).deadline)
    }

    /// Returns `true` if the flow was moved.
    pub fn is_moved(&self) -> bool {
        // Acquire: pairs with `begin_move`.
        self.0.load(Ordering::Acquire) == StateWord::MOVED
    }

    /// Takes the mark off a flow, if it has one. Returns `false` if it was moved.
    #[inline]
    pub fn settle(&self) -> bool {
        // SeqCst: after the caller's reference or announcement, for which `mark` is followed by a look.
        !StateWord::is_marked(self.0.load(Ordering::SeqCst)) || self.take_mark_off()
    }

    #[cold]
    #[inline(never)]
    fn take_mark_off(&self) -> bool {
        let mut word = self.0.load(Ordering::SeqCst);
        while StateWord::is_marked(word) {
            if word == StateWord::MOVED {
                return false;
            }
            let active = StateWord::unpack(word).pack();
            // SeqCst: pairs with `begin_move`, of which one fails.
            match self.0.compare_exchange_weak(word, active, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return true,
                Err(current) => word = current,
            }
        }
        true
    }

    /// Repeats the compare-and-swap until it succeeds or `next` refuses. `Ok` holds the word that was replaced.
    #[inline]
    fn transition<E>(&self, mut next: impl FnMut(StateWord) -> Result<StateWord, E>) -> Result<StateWord, E> {
        // Pairs with the release half of the compare-and-swap. SeqCst: in `set_timeout`, after its store of the
        // timeout.
        let mut word = self.0.load(Ordering::SeqCst);
        loop {
            let old = StateWord::unpack(word);
            let new = next(old)?.pack();
            if new == word {
                return Ok(old);
            }
            // Pairs with every other `transition` of this word; on failure too, as `next` reads again. SeqCst:
            // in `refresh`, before its second look at the timeout.
            match self.0.compare_exchange_weak(word, new, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return Ok(old),
                Err(current) => word = current,
            }
        }
    }

    /// Moves the deadline of a live flow to `max(deadline, now + timeout)` (contract D1, D3). Returns `true` if
    /// the refresh was granted.
    ///
    /// If the flow is not live at `now`, the refresh is refused and nothing changes: a flow whose deadline has
    /// passed does not come back because reaping was late.
    #[inline]
    pub fn refresh(&self, now: Timestamp, options: &FlowOptions) -> bool {
        self.refresh_with_slack(now, options, || Duration::ZERO)
    }

    /// As [`refresh`](Self::refresh). If the options have [`SLACK`](FlowOptions::SLACK), a deadline that has to
    /// be moved is moved further by `slack` (contract D5).
    #[inline]
    pub fn refresh_with_slack(
        &self,
        now: Timestamp,
        options: &FlowOptions,
        slack: impl Fn() -> Duration + Copy,
    ) -> bool {
        let now = StateWord::active(now);
        // SeqCst throughout: as in `transition`.
        let mut word = self.0.load(Ordering::SeqCst);
        while now < word {
            // Read after the word: `set_timeout` stores the timeout first and the word second, so a stale
            // timeout here makes the compare-and-swap fail, unless `set_timeout` left the word as it was.
            let bits = options.bits();
            let mut wanted = now.saturating_add(Timeout::from_bits(bits).as_nanos());
            if wanted > word {
                if bits & FlowOptions::SLACK != 0 {
                    wanted = later(wanted, slack);
                }
                let swapped = self.0.compare_exchange_weak(word, wanted, Ordering::SeqCst, Ordering::SeqCst);
                if let Err(current) = swapped {
                    word = current;
                    continue;
                }
            }
            // If a concurrent `set_timeout` left the word as it was, either it or this look comes after the
            // other's change.
            if Timeout::from_bits(options.bits() ^ bits) != Timeout::ZERO {
                self.refresh_again(word, now, bits, slack, options);
            }
            return true;
        }
        StateWord::is_marked(word) && self.refresh_marked(now, slack, options)
    }

    /// A refresh of a flow that was marked. `now` is the word of an active flow that is due at the time of the
    /// refresh.
    #[cold]
    #[inline(never)]
    fn refresh_marked(&self, now: u64, slack: impl Fn() -> Duration + Copy, options: &FlowOptions) -> bool {
        let now = StateWord::unpack(now).deadline;
        self.take_mark_off() && self.refresh_with_slack(now, options, slack)
    }

    /// Corrects a refresh of the word `old` with the options `stale`, whose timeout was changed at the same
    /// time: the refresh counts as one that came after the change. `now` is the word of an active flow that is
    /// due at the time of the refresh.
    #[cold]
    fn refresh_again(
        &self,
        old: u64,
        now: u64,
        mut stale: u32,
        slack: impl Fn() -> Duration + Copy,
        options: &FlowOptions,
    ) {
        let refreshed = |bits| match now.saturating_add(Timeout::from_bits(bits).as_nanos()) {
            wanted if wanted <= old => old,
            wanted if bits & FlowOptions::SLACK == 0 => wanted,
            wanted => later(wanted, slack),
        };
        loop {
            let bits = options.bits();
            let (wrong, right) = (refreshed(stale), refreshed(bits));
            // SeqCst: as in `transition`. If the word has changed by now, the operation that changed it has
            // seen the deadline that it had.
            match self.0.compare_exchange(wrong, right, Ordering::SeqCst, Ordering::SeqCst) {
                // A mark says nothing about what whoever made it has seen.
                Err(current) if StateWord::is_marked(current) && self.take_mark_off() => continue,
                Err(_) => return,
                Ok(_) if Timeout::from_bits(options.bits() ^ bits) == Timeout::ZERO => return,
                Ok(_) => stale = bits,
            }
        }
    }

    /// Marks a detached or expired flow as about to come back ([`StateWord::is_starting`]). Its status does not
    /// change. The caller must then make the flow active ([`activate`](Self::activate)), and nobody else may
    /// change it before that.
    pub fn prepare(&self) {
        let word = match self.load().status {
            Status::Expired => StateWord { status: Status::Expired, deadline: Timestamp::ZERO }.pack(),
            _ => StateWord::DETACHED_RETURNS,
        };
        // Release: pairs with `load`.
        self.0.store(word, Ordering::Release);
    }

    /// Changes the status from `Detached` or `Expired` to `Active`, with `deadline`.
    ///
    /// # Errors
    ///
    /// The status, if it is neither `Detached` nor `Expired`.
    pub fn activate(&self, deadline: Timestamp) -> Result<(), Status> {
        self.transition(|old| match old.status {
            Status::Detached | Status::Expired => Ok(StateWord { status: Status::Active, deadline }),
            Status::Active | Status::Cancelled => Err(old.status),
        })
        .map(drop)
    }

    /// Changes the status of a flow that was never active from `Detached` to `Active`, with `deadline`. Returns
    /// `true` if this call did it. However many threads try, and whenever, only one of these calls succeeds in
    /// the life of a flow.
    pub fn start(&self, deadline: Timestamp) -> bool {
        let started = StateWord::active(deadline);
        // AcqRel and Acquire: as in `transition`.
        self.0.compare_exchange(0, started, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Changes the status from `Active` to `Expired` if the deadline is not after `now`.
    #[inline]
    pub fn expire(&self, now: Timestamp) -> Expiry {
        let is_due = |word: u64| word.wrapping_sub(StateWord::ACTIVE) <= now.as_nanos();
        if self.end_if(is_due, Status::Expired) { Expiry::Expired } else { self.expire_slow(now) }
    }

    /// The usual end of a flow: `ends` returns `true` only for words of active flows without a mark. Returns
    /// `false` if the flow must be looked at again: `ends` refuses its word, or the word has changed.
    #[inline]
    fn end_if(&self, ends: impl FnOnce(u64) -> bool, status: Status) -> bool {
        // SeqCst: as in `transition`.
        let word = self.0.load(Ordering::SeqCst);
        if !ends(word) {
            return false;
        }
        let deadline = Timestamp::from_nanos(word & Timestamp::MAX.as_nanos());
        let ended = StateWord { status: Status::Active, deadline }.ended(status).pack();
        self.0.compare_exchange(word, ended, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    #[inline(never)]
    fn expire_slow(&self, now: Timestamp) -> Expiry {
        let swapped = self.transition(|old| {
            if old.status != Status::Active {
                Err(Expiry::NotActive(old.status))
            } else if now < old.deadline {
                Err(Expiry::NotDue(old.deadline))
            } else {
                Ok(old.ended(Status::Expired))
            }
        });
        match swapped {
            Ok(_) => Expiry::Expired,
            Err(kept) => kept,
        }
    }

    #[inline]
    fn end(&self, status: Status) -> bool {
        self.end_if(|word| word >= StateWord::ACTIVE, status) || self.end_slow(status)
    }

    #[inline(never)]
    fn end_slow(&self, status: Status) -> bool {
        self.transition(|old| match old.status {
            Status::Active => Ok(old.ended(status)),
            _ => Err(()),
        })
        .is_ok()
    }

    /// Changes the status from `Active` to `Cancelled`. Returns `true` if this call did it.
    pub fn cancel(&self) -> bool {
        self.end(Status::Cancelled)
    }

    /// Changes the status from `Active` to `Detached`. Returns `true` if this call did it.
    #[inline]
    pub fn detach(&self) -> bool {
        self.end(Status::Detached)
    }

    /// Changes the status from `Active` to `Detached` if the flow is live at `now`. Returns `true` if this call
    /// did it. It is for an insertion that replaces only live flows while others may shorten the deadline.
    pub fn detach_live(&self, now: Timestamp) -> bool {
        self.transition(|old| match old.is_live(now) {
            true => Ok(old.ended(Status::Detached)),
            false => Err(()),
        })
        .is_ok()
    }

    /// Sets the deadline of an active flow, also to an earlier time (contract D4). Returns the old deadline.
    ///
    /// # Errors
    ///
    /// The status, if it is not `Active`.
    pub fn set_deadline(&self, deadline: Timestamp) -> Result<Timestamp, Status> {
        self.transition(|old| match old.status {
            Status::Active => Ok(StateWord { deadline, ..old }),
            ended => Err(ended),
        })
        .map(|old| old.deadline)
    }

    /// Moves the deadline of an active flow to `deadline` if it is earlier, also if it has passed. Returns the
    /// deadline that the flow has then, or `None` if it is not active.
    pub fn postpone(&self, deadline: Timestamp) -> Option<Timestamp> {
        let latest = |old: StateWord| StateWord { deadline: old.deadline.max(deadline), ..old };
        let moved = self.transition(|old| if old.status == Status::Active { Ok(latest(old)) } else { Err(()) });
        moved.ok().map(|old| latest(old).deadline)
    }

    /// Moves the deadline to `deadline`, if the flow is live at `now` and its deadline is earlier. Returns `true`
    /// if the flow is live at `now`.
    pub fn extend(&self, now: Timestamp, deadline: Timestamp) -> bool {
        let latest = |old: StateWord| StateWord { deadline: old.deadline.max(deadline), ..old };
        self.transition(|old| if old.is_live(now) { Ok(latest(old)) } else { Err(()) }).is_ok()
    }

    /// Stores the timeout. Then sets the deadline to `now + timeout` if the flow is live at `now`, also to an
    /// earlier time (contract D4). Returns the old deadline. The timeout is stored even if the flow is not
    /// live.
    ///
    /// # Errors
    ///
    /// The state of the flow, if it is not live at `now`. The timeout is stored then too, for a later
    /// `reinsert`; the deadline is not changed.
    pub fn set_timeout(
        &self,
        timeout: Timeout,
        now: Timestamp,
        options: &FlowOptions,
    ) -> Result<Timestamp, StateWord> {
        options.set_timeout(timeout);
        self.transition(
            |old| {
                if old.is_live(now) { Ok(StateWord { deadline: now + timeout, ..old }) } else { Err(old) }
            },
        )
        .map(|old| old.deadline)
    }
}

/// The word of an active flow, `slack` later.
#[cold]
#[inline(never)]
fn later(word: u64, slack: impl Fn() -> Duration) -> u64 {
    word.saturating_add(saturating_nanos(slack()))
}

impl Default for FlowState {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FlowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load().fmt(f)
    }
}

/// A flow's timeout, its [`OnExpiry`], and two bits that belong to the backend.
///
/// All-zero memory is a timeout of zero and [`OnExpiry::KeepWhileReferenced`].
pub struct FlowOptions(AtomicU32);

impl FlowOptions {
    const FORGET: u32 = 1 << Timeout::BITS;
    /// Refreshes of the flow use the slack of its table ([`FlowState::refresh_with_slack`]). This never changes
    /// in the life of a flow.
    pub const SLACK: u32 = 1 << 29;
    /// The first bit that backends may use for themselves.
    pub const OWN_0: u32 = 1 << 30;
    /// The second bit that backends may use for themselves.
    pub const OWN_1: u32 = 1 << 31;

    /// Options with both own bits clear. `slack` is [`SLACK`](Self::SLACK) or zero.
    pub fn new(timeout: Timeout, on_expiry: OnExpiry, slack: u32) -> Self {
        debug_assert_eq!(slack & !Self::SLACK, 0, "not the bit of the slack");
        Self(AtomicU32::new(Self::pack(timeout, on_expiry) | slack))
    }

    const fn pack(timeout: Timeout, on_expiry: OnExpiry) -> u32 {
        match on_expiry {
            OnExpiry::KeepWhileReferenced => timeout.to_bits(),
            OnExpiry::Remove => timeout.to_bits() | Self::FORGET,
        }
    }

    /// Overwrites the options, with the own bits and perhaps [`SLACK`](Self::SLACK) in `bits`, for a new flow in
    /// memory that the backend owns and reuses.
    pub fn reset(&self, timeout: Timeout, on_expiry: OnExpiry, bits: u32) {
        debug_assert_eq!(bits & !(Self::OWN_0 | Self::OWN_1 | Self::SLACK), 0, "not the backend's bits");
        // Relaxed: whatever publishes the new flow releases this too.
        self.0.store(Self::pack(timeout, on_expiry) | bits, Ordering::Relaxed);
    }

    /// The timeout.
    #[inline]
    pub fn timeout(&self) -> Timeout {
        Timeout::from_bits(self.bits())
    }

    #[inline]
    fn bits(&self) -> u32 {
        // Pairs with `set_timeout`: a thread that sees the new timeout also sees what was written before it.
        // SeqCst: in `refresh`, after the compare-and-swap of the state, see `FlowState::refresh`.
        self.0.load(Ordering::SeqCst)
    }

    fn set_timeout(&self, timeout: Timeout) {
        let replaced = |bits| Some(bits & !Timeout::NEVER.to_bits() | timeout.to_bits());
        // Pairs with `timeout`. SeqCst: before the look at the state in `FlowState::set_timeout`. The closure
        // never returns `None`.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::Relaxed, replaced);
    }

    /// What look-ups do with the flow once it has expired.
    #[inline]
    pub fn on_expiry(&self) -> OnExpiry {
        // Pairs with `forget`.
        if self.0.load(Ordering::Acquire) & Self::FORGET == 0 {
            OnExpiry::KeepWhileReferenced
        } else {
            OnExpiry::Remove
        }
    }

    /// Sets [`OnExpiry::Remove`]. A `cancel` that comes after expiry hides the flow in this way, because no
    /// move leads from `Expired` to `Cancelled` (contract E1, S1).
    pub fn forget(&self) {
        // Pairs with the Acquire of `on_expiry`.
        self.0.fetch_or(Self::FORGET, Ordering::Release);
    }

    /// Returns `true` if any of the backend's `bits` is set.
    #[inline]
    pub fn own(&self, bits: u32) -> bool {
        debug_assert_eq!(bits & !(Self::OWN_0 | Self::OWN_1), 0, "not the backend's bits");
        // Pairs with `set_own` and `clear_own`.
        self.0.load(Ordering::Acquire) & bits != 0
    }

    /// Sets the backend's `bits`. Returns `true` if any of them was set before.
    pub fn set_own(&self, bits: u32) -> bool {
        debug_assert_eq!(bits & !(Self::OWN_0 | Self::OWN_1), 0, "not the backend's bits");
        // Pairs with `own` and `clear_own`.
        self.0.fetch_or(bits, Ordering::AcqRel) & bits != 0
    }

    /// Clears the backend's `bits`. Returns `true` if any of them was set before.
    pub fn clear_own(&self, bits: u32) -> bool {
        debug_assert_eq!(bits & !(Self::OWN_0 | Self::OWN_1), 0, "not the backend's bits");
        // Pairs with `own` and `set_own`.
        self.0.fetch_and(!bits, Ordering::AcqRel) & bits != 0
    }
}

impl fmt::Debug for FlowOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowOptions")
            .field("timeout", &self.timeout())
            .field("on_expiry", &self.on_expiry())
            .finish_non_exhaustive()
    }
}

/// The part of a flow's state that every holder may use: to read it and to refresh it.
#[derive(Clone, Copy, Debug)]
pub struct StateView<'f> {
    state: &'f FlowState,
    options: &'f FlowOptions,
    slack: &'f Duration,
}

impl<'f> StateView<'f> {
    /// The view of a flow with this state and these options. `slack` is that of its table; it is read only if
    /// the options have [`SLACK`](FlowOptions::SLACK).
    #[inline]
    pub const fn new(state: &'f FlowState, options: &'f FlowOptions, slack: &'f Duration) -> Self {
        Self { state, options, slack }
    }

    /// Reads status and deadline at one moment.
    #[inline]
    pub fn load(self) -> StateWord {
        self.state.load()
    }

    /// Returns `true` if the flow is active and `now` is before its deadline (contract T3).
    #[inline]
    pub fn is_live(self, now: Timestamp) -> bool {
        self.state.is_live(now)
    }

    /// The idle time after which the flow expires.
    #[inline]
    pub fn timeout(self) -> Duration {
        self.options.timeout().as_duration()
    }

    /// What look-ups do with the flow once it has expired.
    pub fn on_expiry(self) -> OnExpiry {
        self.options.on_expiry()
    }

    /// See [`Flow::refresh`](crate::Flow::refresh).
    #[inline]
    pub fn refresh(self, now: Timestamp) -> bool {
        self.state.refresh_with_slack(now, self.options, move || *self.slack)
    }

    /// See [`Flow::refresh_for`](crate::Flow::refresh_for).
    pub fn extend(self, now: Timestamp, deadline: Timestamp) -> bool {
        self.state.extend(now, deadline)
    }
}

#[cfg(all(test, not(flow_table_loom)))]
mod tests {
    use super::*;

    const fn at(nanos: u64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    fn active(deadline: u64) -> FlowState {
        let state = FlowState::new();
        state.activate(at(deadline)).unwrap();
        state
    }

    fn keep(timeout: u64) -> FlowOptions {
        FlowOptions::new(Duration::from_nanos(timeout).into(), OnExpiry::KeepWhileReferenced, 0)
    }

    #[test]
    fn only_the_documented_edges_exist() {
        let reach: [(Status, fn() -> FlowState); 4] = [
            (Status::Detached, FlowState::new),
            (Status::Active, || active(5)),
            (Status::Expired, || {
                let state = active(5);
                state.expire(at(5));
                state
            }),
            (Status::Cancelled, || {
                let state = active(5);
                state.cancel();
                state
            }),
        ];
        type Move = fn(&FlowState) -> bool;
        let moves: [(Status, Move); 4] = [
            (Status::Active, |state| state.activate(at(9)).is_ok()),
            (Status::Expired, |state| state.expire(at(5)) == Expiry::Expired),
            (Status::Cancelled, FlowState::cancel),
            (Status::Detached, FlowState::detach),
        ];
        for (from, make) in reach {
            for (to, attempt) in moves {
                let state = make();
                assert_eq!(state.load().status, from);
                let allowed = match (from, to) {
                    (Status::Detached | Status::Expired, Status::Active) => true,
                    (Status::Active, ended) => ended != Status::Active,
                    _ => false,
                };
                assert_eq!(attempt(&state), allowed, "{from:?} -> {to:?}");
                assert_eq!(state.load().status, if allowed { to } else { from });
            }
        }
    }

    #[test]
    fn refresh_takes_the_later_deadline_and_only_of_live_flows() {
        let (state, options) = (active(100), keep(50));
        assert!(state.refresh(at(10), &options));
        assert_eq!(state.load().deadline, at(100));
        assert!(state.refresh(at(99), &options));
        assert_eq!(state.load().deadline, at(149));
        assert!(!state.refresh(at(149), &options), "due, though nobody has reaped it");
        assert_eq!(state.load(), StateWord { status: Status::Active, deadline: at(149) });
    }

    #[test]
    fn extending_never_shortens_and_needs_a_live_flow() {
        let state = active(100);
        assert_eq!([(10, 90), (10, 150), (149, 200)].map(|(now, to)| state.extend(at(now), at(to))), [true; 3]);
        assert_eq!(state.load().deadline, at(200));
        assert!(!state.extend(at(200), at(300)), "due");
        assert!(state.cancel() && !state.extend(at(10), at(300)));
        assert_eq!(state.load().deadline, at(200));
    }

    #[test]
    fn with_slack_a_refresh_writes_less_often() {
        let (state, slack) = (active(100), Duration::from_nanos(20));
        let options = FlowOptions::new(Duration::from_nanos(100).into(), OnExpiry::Remove, FlowOptions::SLACK);
        let deadlines = [0, 1, 20, 21, 22, 41, 42].map(|now| {
            assert!(state.refresh_with_slack(at(now), &options, || slack));
            state.load().deadline.as_nanos()
        });
        assert_eq!(deadlines, [100, 121, 121, 121, 142, 142, 142]);
        assert!(!state.refresh_with_slack(at(142), &options, || slack), "due");
        let exact = FlowOptions::new(Duration::from_nanos(101).into(), OnExpiry::Remove, 0);
        assert!(state.refresh_with_slack(at(42), &exact, || panic!("it has none")));
        assert_eq!(state.load().deadline, at(143));
        assert!(state.refresh_with_slack(at(50), &options, || Duration::MAX));
        assert_eq!(state.load().deadline, Timestamp::MAX);
    }

    #[test]
    fn a_flow_that_comes_back_is_told_from_one_that_was_there() {
        let start = |state: &FlowState| state.start(at(9));
        for ended in [FlowState::detach, |state: &FlowState| state.expire(Timestamp::MAX) == Expiry::Expired] {
            let state = active(0);
            assert!(ended(&state) && !state.load().is_starting());
            let before = state.load();
            state.prepare();
            assert_eq!(state.load(), StateWord { deadline: at(0), ..before });
            assert!(state.load().is_starting() && !start(&state), "only its owner starts it");
            state.activate(at(7)).unwrap();
            assert_eq!(state.load(), StateWord { status: Status::Active, deadline: at(7) });
        }
        let new = FlowState::new();
        assert!(new.load().is_starting() && start(&new) && !start(&new));
    }

    #[test]
    fn time_saturates() {
        let (state, options) = (active(u64::MAX), FlowOptions::new(Timeout::NEVER, OnExpiry::Remove, 0));
        assert!(state.refresh(at(7), &options));
        assert_eq!(state.load().deadline, Timestamp::MAX);
        assert_eq!(state.expire(at(u64::MAX - 1)), Expiry::Expired);
    }

    #[test]
    fn options_keep_their_fields_apart() {
        let options = keep(77);
        assert!(!options.set_own(FlowOptions::OWN_1));
        options.set_timeout(Timeout::NEVER);
        options.forget();
        assert_eq!(options.timeout(), Timeout::NEVER);
        assert_eq!(options.on_expiry(), OnExpiry::Remove);
        assert!(options.own(FlowOptions::OWN_1) && !options.own(FlowOptions::OWN_0));
        assert!(options.clear_own(FlowOptions::OWN_1));
        assert_eq!(options.timeout(), Timeout::NEVER);
    }
}
