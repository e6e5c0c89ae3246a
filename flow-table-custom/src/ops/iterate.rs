//! Iteration: visits every flow, page by page. No flow is moved to another page meanwhile. Samples: visits some
//! flows of a page.

use std::convert::Infallible;
use std::ops::ControlFlow;

use flow_table_api::{Direction, Flow, Status};

use crate::core::Core;
use crate::handle::StrongRef;
use crate::ids::EntryIndex;
use crate::shard::ShardGuard;
use crate::sync::{AtomicUsize, Ordering};

/// Flows to visit under no lock, with their generations.
type Noted = Vec<(EntryIndex, u32)>;

impl<K, V> Core<K, V> {
    /// Visits the active flows, until `visit` breaks. While `visit` runs, no lock is held, and the only reference
    /// held is to the flow that is visited. The flows of a page are noted under its shard's lock. If a page moves
    /// to another shard during the call, it is visited for its first owner only.
    pub(crate) fn try_for_each<R>(
        &self,
        mut visit: impl FnMut(&StrongRef<K, V>) -> ControlFlow<R>,
    ) -> ControlFlow<R> {
        self.try_for_each_held(|flow| match flow.status() {
            Status::Active => visit(&flow),
            _ => ControlFlow::Continue(()),
        })
    }

    /// Visits the flows that the table holds, active or not.
    pub(super) fn for_each_held(&self, mut visit: impl FnMut(StrongRef<K, V>)) {
        let _: ControlFlow<Infallible> = self.try_for_each_held(|flow| {
            visit(flow);
            ControlFlow::Continue(())
        });
    }

    fn try_for_each_held<R>(&self, mut visit: impl FnMut(StrongRef<K, V>) -> ControlFlow<R>) -> ControlFlow<R> {
        let _stays = Iteration::begin(&self.iterations);
        let mut noted = Vec::new();
        for shard in 0..self.shards.len() {
            for pair in [false, true] {
                let pages = self.shards.lock(shard).pages(pair);
                for page in pages {
                    note(&mut self.shards.lock(shard), (page, pair), 0, usize::MAX, &mut noted);
                    for flow in noted.drain(..).filter_map(|noted| self.acquire_noted(noted)) {
                        visit(flow)?;
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Visits up to `most` active flows. Each call starts in another shard, and there in another page.
    pub(crate) fn sample(&self, most: usize, mut visit: impl FnMut(&StrongRef<K, V>)) {
        /// Scatters the places of a page at which samples start.
        const SCATTER: usize = 0x9e37_79b9;
        // Relaxed: any start will do.
        let turn = self.sampled.fetch_add(1, Ordering::Relaxed);
        let (shards, mut left, mut noted) = (self.shards.len(), most, Vec::new());
        for shard in (0..shards).map(|shard| (shard + turn) % shards) {
            let kinds = [false, true].map(|pair| (pair, self.shards.lock(shard).pages(pair)));
            let pages: Vec<_> = kinds
                .into_iter()
                .flat_map(|(pair, pages)| pages.into_iter().map(move |page| (page, pair)))
                .collect();
            for step in 0..pages.len() {
                let page = pages[(turn / shards + step) % pages.len()];
                let from = if step == 0 { turn.wrapping_mul(SCATTER) >> 8 } else { 0 };
                note(&mut self.shards.lock(shard), page, from, left, &mut noted);
                for flow in noted.drain(..).filter_map(|noted| self.acquire_noted(noted)) {
                    if flow.status() == Status::Active {
                        left -= 1;
                        visit(&flow);
                    }
                }
                if left == 0 {
                    return;
                }
            }
        }
    }

    fn acquire_noted(&self, (index, generation): (EntryIndex, u32)) -> Option<StrongRef<K, V>> {
        let flow = StrongRef::acquire_generation(self.shards.arena.entry(index), generation, Direction::Forward)?;
        // P15. Only a sample can meet a flow that was moved.
        flow.entry().state().settle().then_some(flow)
    }
}

/// P15. While there is one, flows keep their entries, so that an iteration visits each of them once.
struct Iteration<'c>(&'c AtomicUsize);

impl<'c> Iteration<'c> {
    fn begin(iterations: &'c AtomicUsize) -> Self {
        // SeqCst: before the locks of the shards that are visited. A move under such a lock either comes before
        // the visit, or finds the iteration.
        iterations.fetch_add(1, Ordering::SeqCst);
        Self(iterations)
    }
}

impl Drop for Iteration<'_> {
    fn drop(&mut self) {
        // Release: the visits come before the moves that follow.
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// Notes up to `most` flows of a page that the table holds, from one of the places in use on, and then from the
/// first one.
fn note<K, V>(
    guard: &mut ShardGuard<'_, K, V>,
    (page, pair): (u32, bool),
    from: usize,
    most: usize,
    noted: &mut Noted,
) {
    let used = if from == 0 { 0 } else { guard.entries_of(page, pair).count() };
    let from = from.checked_rem(used).unwrap_or(0);
    for (skipped, taken) in [(from, usize::MAX), (0, from)] {
        for flow in guard.entries_of(page, pair).skip(skipped).take(taken) {
            let entry = flow.entry();
            // A free entry keeps its last options, but nobody references it.
            if noted.len() < most && entry.is_held() && entry.refs().is_referenced() {
                noted.push((flow.index(), entry.refs().generation()));
            }
        }
    }
}
