use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use flow_table_api::{Direction, KeyHasher, Status};

use crate::core::Core;
use crate::flow::handle::FlowHandle;
use crate::queue::queue::Queue;

impl<K, V> Core<K, V> {
    /// Calls `visit` for the active flows, under no lock, until it breaks. Each flow that is in the table all the
    /// time is visited exactly once (contract E3).
    pub(crate) fn try_for_each<B>(
        &self,
        mut visit: impl FnMut(&FlowHandle<K, V>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.queues.iter().try_for_each(|queue| try_for_each_in(queue, &mut visit))
    }

    /// Visits up to `most` active flows. Each call starts in another queue, and there at another flow.
    pub(crate) fn sample(&self, most: usize, mut visit: impl FnMut(&FlowHandle<K, V>)) {
        /// Scatters the positions at which samples start.
        const SCATTER: usize = 0x9e37_79b9;
        // Relaxed: any start will do.
        let turn = self.sampled.fetch_add(1, Ordering::Relaxed);
        let (queues, mut left) = (self.queues.iter().count(), most);
        for step in 0..queues {
            let queue = self.queues.get((turn + step) % queues).expect("queues stay");
            let flows = queue.lock().active_from(turn.wrapping_mul(SCATTER) >> 8, left);
            left -= flows.len();
            // An earlier visit may have ended it.
            let active = flows.into_iter().filter(|flow| flow.state.load().status == Status::Active);
            active.for_each(|flow| visit(&FlowHandle::new(flow, Direction::Forward)));
        }
    }
}

/// Copies one part of the queue at a time under its lock. A flow may change its position between two parts, so the
/// ids of visited flows are remembered.
fn try_for_each_in<K, V, B>(
    queue: &Queue<K, V>,
    visit: &mut impl FnMut(&FlowHandle<K, V>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let mut visited = HashSet::with_hasher(KeyHasher::random());
    let mut end = usize::MAX;
    while end > 0 {
        let flows = queue.lock().active_before(&mut end);
        for (id, flow) in flows {
            // An earlier visit may have ended it.
            if visited.insert(id) && flow.state.load().status == Status::Active {
                visit(&FlowHandle::new(flow, Direction::Forward))?;
            }
        }
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use flow_table_api::{Flow, NewFlow, Table, Timestamp};

    use crate::FlowTable;

    #[test]
    fn what_stays_is_visited_once_whatever_goes_and_comes_meanwhile() {
        const FLOWS: u64 = 10_000;
        let put = |table: &FlowTable<u64, ()>, key| {
            drop(table.insert(NewFlow::new(key, ()), Timestamp::ZERO).expect("there is room"));
        };
        // Keys divisible by `step` are removed during the iteration, with a stride that visits all parts in turn.
        for step in [2, 3, 7] {
            let table = FlowTable::new(1_000_000);
            (0..FLOWS).for_each(|key| put(&table, key));
            let mut visits = HashMap::new();
            let mut round = 0;
            table.for_each(|flow| {
                *visits.entry(*flow.key()).or_insert(0) += 1;
                let key = round * 7_919 % FLOWS;
                if key.is_multiple_of(step) {
                    drop(table.remove(&key));
                    if round % 2 == 0 {
                        put(&table, FLOWS + round);
                    }
                }
                round += 1;
            });
            for key in (0..FLOWS).filter(|key| !key.is_multiple_of(step)) {
                assert_eq!(visits.get(&key), Some(&1), "key {key}, step {step}");
            }
            assert!(visits.values().all(|times| *times == 1));
        }
    }
}
