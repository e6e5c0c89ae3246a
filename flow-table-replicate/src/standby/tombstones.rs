use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::{Epoch, Life};

/// The flows that have ended lately: records of them that come late are refused.
///
/// A flow is known by the hash of its key under the cluster key, 64 bits. It is remembered until a sweep that
/// began after its end is complete, but at most so many are.
pub struct Tombstones {
    ended: HashMap<u64, (Epoch, Life)>,
    /// In the order of their ends, with the number of sweeps that were complete by then.
    order: VecDeque<(u64, Life, u64)>,
    sweeps: u64,
    limit: usize,
}

impl Tombstones {
    pub fn new(limit: usize) -> Self {
        Self { ended: HashMap::new(), order: VecDeque::new(), sweeps: 0, limit }
    }

    /// The flow with this hash ended.
    pub fn insert(&mut self, hash: u64, epoch: Epoch, life: Life) {
        let known = self.ended.entry(hash).or_insert((epoch, life));
        *known = (*known).max((epoch, life));
        self.order.push_back((hash, life, self.sweeps));
        while self.order.len() > self.limit {
            self.forget_oldest();
        }
    }

    /// Whether what was written of this life in this epoch comes after its end.
    pub fn refuses(&self, hash: u64, epoch: Epoch, life: Life) -> bool {
        self.ended.get(&hash).is_some_and(|ended| (epoch, life) <= *ended)
    }

    /// A sweep is complete.
    pub fn swept(&mut self) {
        self.sweeps += 1;
        while self.order.front().is_some_and(|(_, _, sweeps)| sweeps + 2 <= self.sweeps) {
            self.forget_oldest();
        }
        if self.ended.len() < self.ended.capacity() / 4 {
            self.ended.shrink_to_fit();
            self.order.shrink_to_fit();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((hash, life, _)) = self.order.pop_front()
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
    fn what_ended_is_refused_until_two_sweeps_are_complete() {
        let (one, two) = (Epoch::new(1), Epoch::new(2));
        let life = |generation| Life::new(one, generation);
        let mut tombstones = Tombstones::new(2);
        tombstones.insert(7, one, life(5));
        assert!(tombstones.refuses(7, one, life(5)) && tombstones.refuses(7, one, life(4)));
        assert!(!tombstones.refuses(7, one, life(6)), "its successor");
        assert!(!tombstones.refuses(7, two, life(5)), "whoever owns the shard now still has it");
        tombstones.swept();
        assert!(tombstones.refuses(7, one, life(5)));
        tombstones.insert(7, one, life(8));
        tombstones.swept();
        assert!(tombstones.refuses(7, one, life(5)), "a later end of the same key");
        tombstones.swept();
        assert!(!tombstones.refuses(7, one, life(8)));
        (0..3).for_each(|hash| tombstones.insert(hash, one, life(1)));
        assert!(
            !tombstones.refuses(0, one, life(1)) && tombstones.refuses(1, one, life(1)),
            "the oldest goes first"
        );
    }
}
