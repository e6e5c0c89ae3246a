use std::collections::VecDeque;
use std::time::Duration;

use flow_table_api::Timestamp;
use hashbrown::HashMap;

use crate::{Epoch, Life};

/// The flows that have ended lately: records of them that come late are refused.
///
/// A flow is known by the hash of its key under the cluster key, 64 bits. It is remembered until a sweep that
/// began after its end is complete, and for as long as its owner may repeat what it wrote earlier; but at most so
/// many are. Sweeps alone do not tell: they follow each other quickly after a loss, and those of other gateways
/// count, too.
pub struct Tombstones {
    ended: HashMap<u64, (Epoch, Life)>,
    /// In the order in which their ends came.
    order: VecDeque<Ended>,
    sweeps: u64,
    limit: usize,
    keep: Duration,
}

struct Ended {
    hash: u64,
    life: Life,
    /// The number of sweeps that were complete by then.
    sweeps: u64,
    at: Timestamp,
}

impl Tombstones {
    /// Remembers at most `limit` flows, for at least `keep` if there are fewer.
    pub fn new(limit: usize, keep: Duration) -> Self {
        Self { ended: HashMap::new(), order: VecDeque::new(), sweeps: 0, limit, keep }
    }

    /// The end of the flow with this hash has come at this time.
    pub fn insert(&mut self, at: Timestamp, hash: u64, epoch: Epoch, life: Life) {
        let known = self.ended.entry(hash).or_insert((epoch, life));
        *known = (*known).max((epoch, life));
        self.order.push_back(Ended { hash, life, sweeps: self.sweeps, at });
        while self.order.len() > self.limit {
            self.forget_oldest();
        }
    }

    /// Whether what was written of this life in this epoch comes after its end.
    pub fn refuses(&self, hash: u64, epoch: Epoch, life: Life) -> bool {
        self.ended.get(&hash).is_some_and(|ended| (epoch, life) <= *ended)
    }

    /// A sweep is complete.
    pub fn swept(&mut self, now: Timestamp) {
        self.sweeps += 1;
        let (sweeps, keep) = (self.sweeps, self.keep);
        let is_over = |end: &Ended| end.sweeps + 2 <= sweeps && now.saturating_since(end.at) >= keep;
        while self.order.front().is_some_and(is_over) {
            self.forget_oldest();
        }
        if self.ended.len() < self.ended.capacity() / 4 {
            self.ended.shrink_to_fit();
            self.order.shrink_to_fit();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(Ended { hash, life, .. }) = self.order.pop_front()
            && self.ended.get(&hash).is_some_and(|(_, ended)| *ended <= life)
        {
            self.ended.remove(&hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_is_refused_until_two_sweeps_are_complete_and_time_has_passed() {
        let at = Timestamp::from_secs;
        let (one, two) = (Epoch::new(1), Epoch::new(2));
        let life = |generation| Life::new(one, generation);
        let mut tombstones = Tombstones::new(2, Duration::from_secs(10));
        tombstones.insert(at(1), 7, one, life(5));
        assert!(tombstones.refuses(7, one, life(5)) && tombstones.refuses(7, one, life(4)));
        assert!(!tombstones.refuses(7, one, life(6)), "its successor");
        assert!(!tombstones.refuses(7, two, life(5)), "whoever owns the shard now still has it");
        tombstones.swept(at(20));
        assert!(tombstones.refuses(7, one, life(5)));
        tombstones.insert(at(20), 7, one, life(8));
        tombstones.swept(at(21));
        assert!(tombstones.refuses(7, one, life(5)), "a later end of the same key");
        tombstones.swept(at(29));
        assert!(tombstones.refuses(7, one, life(8)), "too soon");
        tombstones.swept(at(30));
        assert!(!tombstones.refuses(7, one, life(8)));
        (0..3).for_each(|hash| tombstones.insert(at(30), hash, one, life(1)));
        assert!(
            !tombstones.refuses(0, one, life(1)) && tombstones.refuses(1, one, life(1)),
            "the oldest goes first"
        );
    }
}
