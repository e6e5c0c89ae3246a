use flow_table_api::{Ended, ReapReport, Timestamp};

use crate::core::Core;
use crate::handle::StrongRef;
use crate::reap::Claimed;

/// Flows that one insertion may look at in each shard to make room.
const VISITS: usize = 16;
/// How often an insertion makes room that others take before it gives up.
const ATTEMPTS: usize = 8;

/// The room that an insertion into a full table makes from what is already due. What it lets go and nobody takes is
/// left to the next reap.
pub(crate) struct Room<'c, K, V> {
    core: &'c Core<K, V>,
    now: Timestamp,
    attempts: usize,
    made: Vec<Ended<StrongRef<K, V>>>,
}

impl<'c, K, V> Room<'c, K, V> {
    pub(crate) const fn new(core: &'c Core<K, V>, now: Timestamp) -> Self {
        Self { core, now, attempts: 0, made: Vec::new() }
    }

    /// Lets something go that has ended or is due; whether it is worth another try. No shard is locked.
    #[cold]
    pub(crate) fn make(&mut self) -> bool {
        let Self { core, now, attempts, made } = self;
        *attempts += 1;
        // Above a limit that was lowered, what one insertion may let go is not enough.
        let in_vain = core.capacity.held() > core.capacity.limit();
        if in_vain || *attempts > ATTEMPTS {
            return false;
        }
        let before = made.len();
        for shard in 0..core.shards.len() {
            if core.due.is_due(shard, *now) {
                let (mut visits, mut report, mut claimed) = (VISITS, ReapReport::default(), Claimed::new());
                core.claim(shard, *now, &mut visits, &mut report, &mut claimed);
                made.extend(claimed.into_iter().map(|let_go| core.handle_of(let_go)));
                if made.len() > before {
                    break;
                }
            }
        }
        // What was due may have been let go by others meanwhile.
        made.len() > before || core.capacity.held() < core.capacity.limit()
    }

    pub(crate) fn add(&mut self, ended: Ended<StrongRef<K, V>>) {
        self.made.push(ended);
    }

    pub(crate) fn take(&mut self) -> Vec<Ended<StrongRef<K, V>>> {
        std::mem::take(&mut self.made)
    }
}

impl<K, V> Drop for Room<'_, K, V> {
    fn drop(&mut self) {
        if !self.made.is_empty() {
            self.core.orphan(self.take());
        }
    }
}
