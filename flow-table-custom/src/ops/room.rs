use flow_table_api::Timestamp;

use crate::shard::Shards;

/// Flows that one insertion may look at in each shard to make room, and the most that it lets die.
const VISITS: usize = 16;
/// How often an insertion that finds nothing to make room looks again for room that others have made.
const ATTEMPTS: usize = 8;

/// The room that an insertion into a full table makes from what has ended or is due: such flows die, which leaves their places to
/// the insertion. If it fails for another reason, the places are free.
pub(super) struct Room<'c, K, V> {
    shards: &'c Shards<K, V>,
    now: Timestamp,
    attempts: usize,
    /// Places of flows that died, still counted.
    places: usize,
}

impl<'c, K, V> Room<'c, K, V> {
    pub(super) const fn new(shards: &'c Shards<K, V>, now: Timestamp) -> Self {
        Self { shards, now, attempts: 0, places: 0 }
    }

    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether [`reserve`](Self::reserve) would fail now.
    #[inline]
    pub(super) fn is_missing(&self) -> bool {
        self.places == 0 && self.shards.capacity.is_full()
    }

    /// A place for one flow, if there is any. The last step of an insertion that may fail.
    #[inline]
    pub(super) fn reserve(&mut self) -> bool {
        if self.places == 0 {
            return self.shards.capacity.reserve();
        }
        let enough = self.shards.capacity.exchange(self.places);
        if enough {
            self.places = 0;
        }
        enough
    }

    /// Lets something die that has ended or is due. Returns whether it is worth another try. No shard is locked.
    #[cold]
    pub(super) fn make(&mut self) -> bool {
        let Self { shards, now, attempts, places } = self;
        *attempts += 1;
        if *places == 0 && !shards.capacity.is_full() {
            return *attempts <= ATTEMPTS;
        }
        // One, so that others find something too; more only above a limit that was lowered.
        let wanted = shards.capacity.excess().max(1);
        if wanted > VISITS || *attempts > ATTEMPTS {
            return false;
        }
        for shard in 0..shards.len() {
            let may_die = *places < wanted && shards.capacity.may_die();
            if may_die && shards.due.is_due(shard, *now) {
                *places += let_die(shards, shard, *now, wanted - *places);
            }
        }
        // What was due may have been let go by others meanwhile.
        *places >= wanted || !shards.capacity.is_full()
    }
}

impl<K, V> Drop for Room<'_, K, V> {
    fn drop(&mut self) {
        if self.places > 0 {
            self.shards.capacity.give_back(self.places);
        }
    }
}

/// Lets at most so many flows of a shard die that have ended or are due, found by a bounded search; returns their number. Their places
/// are the caller's, who has locked no shard. They keep their slots, as flows do that look-ups have expired.
fn let_die<K, V>(shards: &Shards<K, V>, shard: usize, now: Timestamp, flows: usize) -> usize {
    let capacity = &shards.capacity;
    let (mut visits, mut died) = (VISITS, 0);
    let mut shard = shards.lock(shard);
    if shard.reserve_dying(flows).is_ok() {
        shard.search_ended(now, &mut visits, &mut 0, flows, |shard, flow| {
            let may_die = capacity.allow_dying();
            if may_die {
                shard.push_dying(flow);
                died += 1;
            }
            may_die
        });
    }
    died
}
