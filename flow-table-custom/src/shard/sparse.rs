//! Shards whose flows lie far apart: which flows are to be moved, and their moves (P15). `ops::compact` drives
//! this.

use super::emptying::{ALWAYS, Emptied, Emptying, Stage, TRIES};
use super::guard::ShardGuard;
use crate::flows::{FlowAt, Moved, entries_in_page};
use crate::hash::{KeyHash, KeyHashes};
use crate::ids::EntryIndex;
use crate::index::Slot;

impl<K, V> ShardGuard<'_, K, V> {
    /// Notes for the next reap whether the flows lie so far apart that pages are to be emptied: a third of the
    /// entries are free, and two pages more. A pass that has begun goes on until a ninth is.
    #[cold]
    pub(super) fn note_if_sparse(&mut self) {
        let [singles, pairs] = [false, true].map(|pair| self.state.slabs[usize::from(pair)].len());
        let room = singles * entries_in_page::<K, V>(false) + pairs * entries_in_page::<K, V>(true);
        let tolerated = if self.state.emptying.has_begun() { 8 } else { 2 };
        let spare = self.state.entries / tolerated + 2 * entries_in_page::<K, V>(false);
        let is_sparse = ALWAYS || room > self.state.entries + spare;
        if !is_sparse {
            self.state.emptying = Emptying::default();
        }
        self.shards.due.set_sparse(self.number, is_sparse);
    }

    /// Lets a new pass begin at once.
    pub(crate) fn begin_anew(&mut self) {
        self.state.emptying = Emptying::default();
    }

    /// The page that is to be emptied, and what comes next for it. It is another one than before if that one is
    /// done.
    pub(crate) fn emptied(&mut self) -> Option<(Emptied, Stage)> {
        let emptying = &mut self.state.emptying;
        if emptying.page.is_none() && emptying.rest > 0 {
            emptying.rest -= 1;
            return None;
        }
        if emptying.page.is_none() {
            self.begin_page();
        }
        self.state.emptying.page
    }

    fn begin_page(&mut self) {
        let (emptying, slabs) = (&self.state.emptying, &self.state.slabs);
        let next = [false, true].into_iter().find_map(|pair| {
            let below = emptying.done_from[usize::from(pair)].unwrap_or(u32::MAX);
            let page = slabs[usize::from(pair)].page_to_empty(below, ALWAYS)?;
            Some(Emptied { page, pair })
        });
        match next {
            Some(page) => self.state.emptying.begin(page),
            None => {
                self.state.emptying.end_pass();
                self.note_if_sparse();
            }
        }
    }

    /// Marks flows of the page, from the one with this number on, within the budget. After the last one, and if
    /// some are marked, it stamps the marks with the epoch that `stamp` returns.
    pub(crate) fn mark(&mut self, page: Emptied, mut next: u32, budget: &mut usize, stamp: impl FnOnce() -> u64) {
        let mut some = false;
        while *budget > 0 {
            let Some(flow) = self.flow_of(page, next) else {
                let emptying = &mut self.state.emptying;
                if some || emptying.some_marked {
                    emptying.page = Some((page, Stage::Move { next: 0, epoch: stamp() }));
                } else {
                    emptying.end_page();
                }
                return;
            };
            *budget -= 1;
            next += 1;
            self.state.emptying.visited += usize::from(flow.entry().is_held());
            some |= self.may_move(flow) && flow.entry().state().mark();
        }
        let emptying = &mut self.state.emptying;
        emptying.some_marked |= some;
        emptying.page = Some((page, Stage::Mark { next }));
    }

    /// Takes the next flow of the page that is still marked, from this number on and within the budget, and the
    /// hashes of its keys. After the last one, the page is done with, or waits for bursts to close until
    /// [`compact`](crate::core::Core::compact) comes again: the result is `None` then, and without budget.
    pub(crate) fn next_marked(
        &mut self,
        page: Emptied,
        (mut next, epoch): (u32, u64),
        budget: &mut usize,
    ) -> Option<(FlowAt<K, V>, KeyHashes)> {
        let mut found = None;
        while *budget > 0 && found.is_none() {
            let Some(flow) = self.flow_of(page, next) else {
                let emptying = &mut self.state.emptying;
                if emptying.waits && emptying.tries < TRIES {
                    (emptying.waits, emptying.tries) = (false, emptying.tries + 1);
                    emptying.page = Some((page, Stage::Move { next: 0, epoch }));
                } else {
                    emptying.end_page();
                }
                return None;
            };
            *budget -= 1;
            next += 1;
            found = (self.may_move(flow) && flow.entry().state().is_marked()).then(|| (flow, flow.hashes()));
        }
        self.state.emptying.page = Some((page, Stage::Move { next, epoch }));
        found
    }

    /// Returns `true` if a page is being emptied.
    pub(crate) fn is_emptying(&self) -> bool {
        self.state.emptying.page.is_some()
    }

    /// The flow of the page with this number, if it may be there.
    fn flow_of(&mut self, Emptied { page, pair }: Emptied, number: u32) -> Option<FlowAt<K, V>> {
        let (arena, state) = (&self.shards.arena, &mut *self.state);
        if !state.slabs[usize::from(pair)].owns(page) {
            return None;
        }
        let place = arena.page(page, pair).used_place(&mut state.locked, number)?;
        Some(arena.at(EntryIndex::new(page, place, pair)))
    }

    /// Returns `true` if the table holds the flow, nobody else does or ever can by a weak handle, and it is filed:
    /// in the timer queue, if it is active.
    fn may_move(&self, flow: FlowAt<K, V>) -> bool {
        let entry = flow.entry();
        entry.is_held() && entry.refs().is_only_reference() && self.position(flow).is_filed()
    }

    /// As [`may_move`](Self::may_move), for the flow with these keys, if the page is still being emptied in this
    /// epoch. Another thread may have come between.
    pub(crate) fn may_still_move(&self, flow: FlowAt<K, V>, hashes: KeyHashes, page: Emptied, epoch: u64) -> bool {
        self.state.emptying.is_moving(page, epoch)
            && self.state.slabs[usize::from(page.pair)].owns(page.page)
            && self.may_move(flow)
            && flow.hashes() == hashes
    }

    /// An open burst keeps a flow of the page where it is.
    pub(crate) fn wait_for_burst(&mut self) {
        self.state.emptying.waits = true;
    }

    /// P15. Moves a flow, which nobody uses, to another entry below its page. Returns `None` if the flow was used
    /// since it was marked, or if there is no room.
    pub(crate) fn relocate(&mut self, flow: FlowAt<K, V>, core: *const ()) -> Option<Moved<K, V>> {
        let (pair, page) = (flow.is_pair(), flow.index().page());
        let state = &mut *self.state;
        let slab = &mut state.slabs[usize::from(pair)];
        let Some(vacant) = slab.alloc_below(page, ALWAYS, &self.shards.arena, &mut state.locked, pair, core)
        else {
            state.emptying.end_page();
            return None;
        };
        state.entries += 1;
        match vacant.adopt(&mut state.locked, flow) {
            Ok(moved) => {
                state.emptying.moved += 1;
                self.rename_timer(flow, moved.new);
                Some(moved)
            }
            Err(unused) => {
                self.free(unused);
                None
            }
        }
    }

    /// Replaces a flow's slot under one of its keys by that of its new entry.
    pub(crate) fn replace_slot(&mut self, hash: KeyHash, old: Slot, new: Slot) {
        let half = &mut self.state.segments[self.shards.index.local(hash)];
        let replaced = self.shards.index.segment(hash).replace(half, hash, old, new);
        debug_assert!(replaced, "an active flow has its slots");
    }
}
