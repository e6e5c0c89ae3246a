use flow_table_api::{EndReason, Ended, ReapReport, Timestamp};

use crate::core::Core;
use crate::handle::StrongRef;
use crate::reap::Claimed;

/// Flows that one insertion may look at in each shard to make room.
const VISITS: usize = 16;
/// How often an insertion that finds nothing to let go looks again for room that others have made.
const ATTEMPTS: usize = 8;

/// The room that an insertion into a full table makes from what is already due. What it has let go keeps its place in the capacity
/// until the insertion takes one of these places; if it never does, the table takes the flows back, for the next reap.
pub(crate) struct Room<'c, K, V> {
    core: &'c Core<K, V>,
    now: Timestamp,
    attempts: usize,
    let_go: Claimed,
    made: Vec<Ended<StrongRef<K, V>>>,
}

impl<'c, K, V> Room<'c, K, V> {
    pub(crate) const fn new(core: &'c Core<K, V>, now: Timestamp) -> Self {
        Self { core, now, attempts: 0, let_go: Claimed::new_const(), made: Vec::new() }
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether [`reserve`](Self::reserve) would fail now.
    #[inline]
    pub(crate) fn is_missing(&self) -> bool {
        self.let_go.is_empty() && self.core.capacity.is_full()
    }

    /// A place for one flow, if there is any. The last step of an insertion that may fail.
    #[inline]
    pub(crate) fn reserve(&mut self) -> bool {
        let Self { core, let_go, made, .. } = self;
        if let_go.is_empty() {
            return core.capacity.reserve();
        }
        let enough = core.capacity.exchange(let_go.len());
        if enough {
            made.extend(let_go.drain(..).map(|flow| core.handle_of(flow)));
        }
        enough
    }

    /// Lets something go that has ended or is due; whether it is worth another try. No shard is locked.
    #[cold]
    pub(crate) fn make(&mut self) -> bool {
        let Self { core, now, attempts, let_go, .. } = self;
        *attempts += 1;
        // What was let go before was not enough for a limit that was lowered.
        if !let_go.is_empty() || *attempts > ATTEMPTS {
            return false;
        }
        // One, so that others find something too; more only above a limit that was lowered.
        let wanted = core.capacity.excess().clamp(1, VISITS);
        for shard in 0..core.shards.len() {
            if core.due.is_due(shard, *now) {
                let (mut visits, mut report) = (VISITS, ReapReport::default());
                core.claim(shard, *now, &mut visits, &mut report, (&mut *let_go, wanted));
                if !let_go.is_empty() {
                    return true;
                }
            }
        }
        // What was due may have been let go by others meanwhile.
        !core.capacity.is_full()
    }

    /// A flow that the insertion has displaced, and in whose place it is.
    pub(crate) fn add(&mut self, flow: StrongRef<K, V>, reason: EndReason) {
        self.made.push(Ended { flow, reason });
    }

    /// What is to be handed over by the insertion.
    pub(crate) fn take(&mut self) -> Vec<Ended<StrongRef<K, V>>> {
        std::mem::take(&mut self.made)
    }
}

impl<K, V> Drop for Room<'_, K, V> {
    fn drop(&mut self) {
        self.let_go.drain(..).for_each(|flow| self.core.take_back_ended(flow));
    }
}
