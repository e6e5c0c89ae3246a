use flow_table_api::Timestamp;

use crate::core::Core;

/// Flows that one insertion may look at in each shard to make room, and the most that it lets die.
const VISITS: usize = 16;
/// How often an insertion that finds nothing to make room looks again for room that others have made.
const ATTEMPTS: usize = 8;

/// The room that an insertion into a full table makes from what has ended or is due: such flows die, which leaves their places to
/// the insertion. If it fails for another reason, the places are free.
pub(crate) struct Room<'c, K, V> {
    core: &'c Core<K, V>,
    now: Timestamp,
    attempts: usize,
    /// Places of flows that died, still counted.
    places: usize,
}

impl<'c, K, V> Room<'c, K, V> {
    pub(crate) const fn new(core: &'c Core<K, V>, now: Timestamp) -> Self {
        Self { core, now, attempts: 0, places: 0 }
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether [`reserve`](Self::reserve) would fail now.
    #[inline]
    pub(crate) fn is_missing(&self) -> bool {
        self.places == 0 && self.core.capacity.is_full()
    }

    /// A place for one flow, if there is any. The last step of an insertion that may fail.
    #[inline]
    pub(crate) fn reserve(&mut self) -> bool {
        let capacity = &self.core.capacity;
        if self.places == 0 {
            return capacity.reserve();
        }
        let enough = capacity.exchange(self.places);
        if enough {
            self.places = 0;
        }
        enough
    }

    /// Lets something die that has ended or is due; whether it is worth another try. No shard is locked.
    #[cold]
    pub(crate) fn make(&mut self) -> bool {
        let Self { core, now, attempts, places } = self;
        *attempts += 1;
        // One, so that others find something too; more only above a limit that was lowered.
        let wanted = core.capacity.excess().max(1);
        if wanted > VISITS || *attempts > ATTEMPTS {
            return false;
        }
        for shard in 0..core.shards.len() {
            if *places < wanted && core.due.is_due(shard, *now) {
                *places += core.let_die(shard, *now, wanted - *places);
            }
        }
        // What was due may have been let go by others meanwhile.
        *places >= wanted || !core.capacity.is_full()
    }
}

impl<K, V> Drop for Room<'_, K, V> {
    fn drop(&mut self) {
        if self.places > 0 {
            self.core.capacity.give_back(self.places);
        }
    }
}

impl<K, V> Core<K, V> {
    /// Lets at most so many flows of a shard die that have ended or are due, found by a bounded search; returns their number. Their places
    /// are the caller's, who has locked no shard. They keep their slots, as flows do that look-ups have expired.
    fn let_die(&self, shard: usize, now: Timestamp, flows: usize) -> usize {
        let allowed = self.capacity.allow_dying(flows);
        let (mut visits, mut died) = (VISITS, 0);
        if allowed > 0 {
            let mut inner = self.lock(shard);
            if inner.dying.reserve(allowed).is_ok() {
                self.search_ended(shard, &mut inner, now, &mut visits, &mut 0, allowed, |inner, index| {
                    inner.dying.push(index, &mut self.filed());
                    died += 1;
                });
            }
        }
        self.capacity.sub_dying(allowed - died);
        died
    }
}
