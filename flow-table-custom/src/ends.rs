//! Ending flows early, and moving their deadlines.

use std::time::Duration;

use flow_table_api::{Flow, Key, SetDeadlineError, Status, Timestamp, Value};

use crate::core::Core;
use crate::handle::StrongRef;
use crate::locks::{Borrowings, Locks};
use crate::page::Page;

impl<K: Key, V: Value> Core<K, V> {
    /// Detaches the active flow under `key`; one that has ended is no longer found.
    pub(crate) fn remove(&self, key: &K) -> Option<StrongRef<K, V>> {
        let hashes = self.hashes(key, None);
        Borrowings::lend(|borrowings| {
            let mut found = self.find_holders((key, None), hashes, None, borrowings);
            let holder = found.forward.take()?;
            let flow = holder.handle();
            if self.detach(&mut found.locks, &flow) {
                return Some(flow);
            }
            self.unlink_locked(&mut found.locks, holder.index);
            // Not the last one: it was found by another.
            drop(flow);
            None
        })
    }

    /// Detaches this very flow; whether it was active.
    pub(crate) fn remove_flow(&self, flow: &StrongRef<K, V>) -> bool {
        let (_, index) = Page::of(flow.entry());
        let mut locks = Locks::take(self, self.shards_of(index));
        self.detach(&mut locks, flow)
    }

    /// Detaches an active flow and gives up the table's reference: not the last one, as the caller has one. The flow's
    /// shards are locked.
    fn detach(&self, locks: &mut Locks<'_>, flow: &StrongRef<K, V>) -> bool {
        let (entry, (page, index)) = (flow.entry(), Page::of(flow.entry()));
        if !entry.state().detach() {
            return false;
        }
        self.shards[page.shard()].counters.removed.add(1);
        self.unlink_locked(locks, index);
        drop(self.let_go(locks, entry));
        self.capacity.give_back(1);
        true
    }

    pub(crate) fn set_deadline(
        &self,
        flow: &StrongRef<K, V>,
        deadline: Timestamp,
    ) -> Result<(), SetDeadlineError> {
        self.refile(flow, |flow| flow.entry().state().set_deadline(deadline).map_err(SetDeadlineError::NotLive))
    }

    pub(crate) fn set_timeout(
        &self,
        flow: &StrongRef<K, V>,
        timeout: Duration,
        now: Timestamp,
    ) -> Result<(), SetDeadlineError> {
        self.refile(flow, |flow| {
            let (state, options) = (flow.entry().state(), flow.entry().options());
            state.set_timeout(timeout.into(), now, options).map_err(|word| SetDeadlineError::NotLive(word.status))
        })
    }

    /// Changes the deadline, and files the flow again if it is earlier now. Later ones are found when the old one comes due.
    fn refile(
        &self,
        flow: &StrongRef<K, V>,
        change: impl FnOnce(&StrongRef<K, V>) -> Result<Timestamp, SetDeadlineError>,
    ) -> Result<(), SetDeadlineError> {
        let (page, index) = Page::of(flow.entry());
        let mut inner = self.lock(page.shard());
        let before = change(flow)?;
        let word = Flow::state(&**flow).load();
        if word.status == Status::Active && word.deadline < before {
            inner.timers.disarm(index, &mut self.filed());
            inner.timers.rearm(index, word.deadline, &mut self.filed());
            self.due.lower(page.shard(), word.deadline);
        }
        Ok(())
    }
}
