use std::fmt;
use std::ops::Deref;

use flow_table_api::state::StateView;
use flow_table_api::{Flow, NotLive, Status, Timeout, Timestamp};

use crate::base::sync::{Arc, Weak};
use crate::flow::record::Record;

/// A counted reference to a flow. The drop of the last one drops the flow, by [`Record::end`].
///
/// **Ground rule**: no bare `Arc` of a record leaves this file. If it were the last one, it would leave slots
/// behind.
pub(crate) struct Strong<K, V>(
    /// `None` only in its own drop.
    Option<Arc<Record<K, V>>>,
);

/// A flow. Handles and bursts dereference to it; see [`flow_table_api::Flow`].
pub struct FlowRecord<K, V>(pub(crate) Strong<K, V>);

impl<K, V> Strong<K, V> {
    pub(crate) fn new(record: Record<K, V>) -> Self {
        Self(Some(Arc::new(record)))
    }

    #[inline]
    pub(crate) fn upgrade(weak: &Weak<Record<K, V>>) -> Option<Self> {
        weak.upgrade().map(|record| Self(Some(record)))
    }

    pub(crate) fn downgrade(&self) -> Weak<Record<K, V>> {
        Arc::downgrade(self.counted())
    }

    /// The number of counted references.
    pub(crate) fn count(&self) -> usize {
        Arc::strong_count(self.counted())
    }

    /// The address of the flow, which identifies it as long as it exists.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(self.counted()).addr()
    }

    #[inline]
    fn counted(&self) -> &Arc<Record<K, V>> {
        match &self.0 {
            Some(record) => record,
            None => unreachable!("there until dropped"),
        }
    }
}

impl<K, V> Drop for Strong<K, V> {
    #[inline]
    fn drop(&mut self) {
        if let Some(record) = self.0.take().and_then(Arc::into_inner) {
            record.end();
        }
    }
}

impl<K, V> Deref for Strong<K, V> {
    type Target = Record<K, V>;

    #[inline]
    fn deref(&self) -> &Record<K, V> {
        self.counted()
    }
}

impl<K, V> Clone for Strong<K, V> {
    #[inline]
    fn clone(&self) -> Self {
        Self(Some(Arc::clone(self.counted())))
    }
}

impl<K, V> PartialEq for Strong<K, V> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.counted(), other.counted())
    }
}

impl<K, V> Eq for Strong<K, V> {}

impl<K, V> Flow<K, V> for FlowRecord<K, V> {
    fn key(&self) -> &K {
        &self.0.key
    }

    fn reply_key(&self) -> Option<&K> {
        self.0.reply.as_ref()
    }

    fn value(&self) -> &V {
        &self.0.value
    }

    #[inline]
    fn state(&self) -> StateView<'_> {
        StateView::new(&self.0.state, &self.0.options, &self.0.home.shared.slack)
    }

    /// As the trait's own method, but the slack is looked up only if it is needed.
    #[inline]
    fn refresh(&self, now: Timestamp) -> bool {
        self.0.state.refresh_with_slack(now, &self.0.options, || self.0.home.shared.slack)
    }

    #[inline]
    fn is_live(&self, now: Timestamp) -> bool {
        self.0.state.is_live(now)
    }

    /// Does not wait for a queue. It writes a note to a lock-free list, if the deadline is brought forward.
    fn set_deadline(&self, deadline: Timestamp) -> Result<(), NotLive> {
        let old = self.0.state.set_deadline(deadline).map_err(NotLive)?;
        if deadline < old {
            self.0.note_earlier();
            self.0.shared().ring(deadline);
        }
        Ok(())
    }

    /// Does not wait for a queue, as [`set_deadline`](Self::set_deadline).
    fn set_timeout(&self, timeout: impl Into<Timeout>, now: Timestamp) -> Result<(), NotLive> {
        let timeout = timeout.into();
        let old = self.0.state.set_timeout(timeout, now, &self.0.options);
        if now + timeout < old.map_err(|ended| NotLive(ended.status))? {
            self.0.note_earlier();
            self.0.shared().ring(now + timeout);
        }
        Ok(())
    }

    /// Does not wait for a queue. It writes a note to a lock-free list.
    fn cancel(&self) -> bool {
        let record = &self.0;
        if record.state.cancel() {
            record.home.counts.cancelled.add();
            record.note_end();
            record.shared().ring(Timestamp::ZERO);
            return true;
        }
        if record.state.load().status == Status::Expired {
            record.options.forget();
        }
        false
    }
}

impl<K, V> fmt::Debug for FlowRecord<K, V> {
    /// Requires nothing of keys and values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowRecord").field("state", &self.0.state).field("options", &self.0.options).finish()
    }
}
