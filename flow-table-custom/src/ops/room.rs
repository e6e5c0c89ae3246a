//! How an insertion into a full table makes room: it lets flows die that have ended or are due, within bounds.

use arrayvec::ArrayVec;
use flow_table_api::Timestamp;
use flow_table_api::state::Expiry;

use crate::flows::FlowAt;
use crate::shard::{ShardGuard, Shards};

/// The flows that one attempt to make room may look at in each shard, and the largest excess that an insertion
/// makes room for.
const VISITS: usize = 16;
/// How often an insertion tries to make room before it fails.
const ATTEMPTS: usize = 8;

/// P12. The room that an insertion into a full table makes. It lets flows die that have ended or are due: they
/// move to the list of the dying, and their places stay with the insertion until it takes one of them. If the
/// insertion fails, all these places are given back.
pub(super) struct Room<'c, K, V> {
    shards: &'c Shards<K, V>,
    now: Timestamp,
    attempts: usize,
    /// The places of flows that died, which the capacity still counts.
    places: usize,
}

impl<'c, K, V> Room<'c, K, V> {
    pub(super) const fn new(shards: &'c Shards<K, V>, now: Timestamp) -> Self {
        Self { shards, now, attempts: 0, places: 0 }
    }

    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns `true` if [`reserve`](Self::reserve) would fail now.
    #[inline]
    pub(super) fn is_missing(&self) -> bool {
        self.places == 0 && self.shards.capacity.is_full()
    }

    /// Reserves a place for one flow, if there is one. This is the last step of an insertion that may fail.
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

    /// Lets flows die that have ended or are due. Returns `true` if another try of the insertion is worth
    /// while. The caller has locked no shard.
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
        // Other operations may have let go what was due, in the meantime.
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

/// Lets at most `flows` flows of a shard die that a bounded search finds ended or due, and returns their
/// number. Their places now belong to the caller, who has locked no shard. They keep their slots, like flows
/// that look-ups have expired. The number of dying flows is limited: each flow needs an allowance. One that
/// gets none is filed again as due, and the search ends.
fn let_die<K, V>(shards: &Shards<K, V>, shard: usize, now: Timestamp, flows: usize) -> usize {
    let (mut visits, mut died) = (VISITS, 0);
    let mut shard = shards.lock(shard);
    if shard.reserve_dying(flows).is_err() {
        return 0;
    }
    if shards.has_questions() {
        return let_die_beside_questions(shards, &mut shard, now, flows);
    }
    shard.search_ended(now, &mut visits, &mut 0, flows, |shard, flow, _| dies(shards, shard, flow, &mut died));
    died
}

/// As [`let_die`], where live flows come up to be asked about. They are filed again as they were, for the next
/// reap that asks: otherwise a flood that finds the table full would put questions off for ever.
fn let_die_beside_questions<K, V>(
    shards: &Shards<K, V>,
    shard: &mut ShardGuard<'_, K, V>,
    now: Timestamp,
    flows: usize,
) -> usize {
    let (mut visits, mut most, mut died) = (VISITS, flows, 0);
    // A flow that may not die ends the search, and sets `most` to zero.
    shard.search_noticed(&mut visits, &mut 0, &mut most, &mut |shard, flow, _| {
        dies(shards, shard, flow, &mut died)
    });
    let mut live = ArrayVec::<_, VISITS>::new_const();
    while most > 0
        && visits > 0
        && let Some((flow, time)) = shard.pop_up(now)
    {
        visits -= 1;
        if let Expiry::NotDue(_) = shard.expire(flow, now) {
            live.push((flow, time));
            continue;
        }
        if !dies(shards, shard, flow, &mut died) {
            shard.file(flow, Timestamp::ZERO);
            break;
        }
        most -= 1;
    }
    for (flow, time) in live {
        shard.file(flow, time);
    }
    shard.settle();
    died
}

/// Lets a flow die that has ended and is filed nowhere, and counts it, if there is an allowance for it.
fn dies<K, V>(
    shards: &Shards<K, V>,
    shard: &mut ShardGuard<'_, K, V>,
    flow: FlowAt<K, V>,
    died: &mut usize,
) -> bool {
    let may_die = shards.capacity.allow_dying();
    if may_die {
        shard.push_dying(flow);
        *died += 1;
    }
    may_die
}
