//! What users see of a flow, through a handle or within a burst.

use std::fmt;

use flow_table_api::state::StateView;
use flow_table_api::{Direction, Flow, NotLive, OnExpiry, Status, Timeout, Timestamp};

use crate::core::Core;
use crate::flows::{Entry, FlowAt, FlowEntry, Page};

impl<K, V> FlowEntry<K, V> {
    /// The core of the table that the flow belongs to.
    #[inline]
    pub(crate) fn core(&self) -> &Core<K, V> {
        let core = self.at().page().core().cast::<Core<K, V>>();
        // SAFETY: users reach an entry through handles and bursts only. A core lives while any of its entries is
        // referenced, and a burst borrows the table.
        unsafe { &*core }
    }

    /// The flow's entry and page.
    #[inline]
    pub(crate) fn at(&self) -> FlowAt<K, V> {
        FlowAt::of(self.entry())
    }

    /// Changes the deadline, and files the flow again if it would come up later. A later deadline is noticed when
    /// the old one comes due. If `change` fails, the flow stays filed as it was.
    fn refile(&self, change: impl FnOnce(Entry<K, V>) -> Result<Timestamp, NotLive>) -> Result<(), NotLive> {
        let (at, shards) = (self.at(), &self.core().shards);
        let mut shard = shards.lock(at.shard());
        let before = change(at.entry())?;
        let word = at.entry().state().load();
        if word.status == Status::Active && word.deadline < before {
            shard.bring_forward(at, word.deadline);
            drop(shard);
            shards.alarm.ring(word.deadline);
        }
        Ok(())
    }
}

impl<K, V> Flow<K, V> for FlowEntry<K, V> {
    #[inline]
    fn key(&self) -> &K {
        // SAFETY: users reach an entry through handles and bursts only, and `Entry::flow` has the same
        // condition: the key is initialised and stays so for as long as `self` is borrowed.
        unsafe { &*self.entry().key_pointer(Direction::Forward) }
    }

    fn reply_key(&self) -> Option<&K> {
        // SAFETY: as for `key`; a pair has this field.
        self.entry().is_pair().then(|| unsafe { &*self.entry().key_pointer(Direction::Reply) })
    }

    #[inline]
    fn value(&self) -> &V {
        // SAFETY: as for `key`.
        unsafe { &*self.entry().value_pointer() }
    }

    #[inline]
    fn state(&self) -> StateView<'_> {
        StateView::new(&self.state, self.options(), Page::slack_of(self.entry()))
    }

    /// As the trait's own method, but the page's address is computed only if it is needed.
    #[inline]
    fn refresh(&self, now: Timestamp) -> bool {
        let entry = self.entry();
        self.state.refresh_with_slack(now, self.options(), move || *Page::slack_of(entry))
    }

    fn set_deadline(&self, deadline: Timestamp) -> Result<(), NotLive> {
        self.refile(|entry| entry.state().set_deadline(deadline).map_err(NotLive))
    }

    fn set_timeout(&self, timeout: impl Into<Timeout>, now: Timestamp) -> Result<(), NotLive> {
        let timeout = timeout.into();
        self.refile(|entry| {
            entry.state().set_timeout(timeout, now, entry.options()).map_err(|word| NotLive(word.status))
        })
    }

    fn cancel(&self) -> bool {
        let (flow, state) = (self.at(), self.entry().state());
        if state.cancel() {
            let shards = &self.core().shards;
            shards.get(flow.shard()).counters.cancelled.add(1);
            shards.notify(flow);
            shards.alarm.ring(Timestamp::ZERO);
            return true;
        }
        if state.load().status == Status::Expired && self.on_expiry() != OnExpiry::Remove {
            self.options().forget();
        }
        false
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for FlowEntry<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("key", self.key())
            .field("reply_key", &self.reply_key())
            .field("state", &Flow::state(self).load())
            .field("value", self.value())
            .finish()
    }
}
