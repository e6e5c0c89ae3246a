//! Flows and handles of the inner table, seen without what is tracked beside the value.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use flow_table_api::state::StateView;
use flow_table_api::{Direction, Flow, FlowRef, NotLive, Timeout, Timestamp, WeakFlowRef};
use ref_cast::RefCast;

use super::Tracked;

/// A flow of a [`Replicated`](crate::Replicated) table: that of the inner table, without what is tracked beside
/// its value.
#[derive(RefCast)]
#[repr(transparent)]
pub struct TrackedFlow<F>(F);

impl<F> TrackedFlow<F> {
    /// The same flow, as the inner table knows it.
    pub const fn inner(&self) -> &F {
        &self.0
    }
}

impl<K, V, F: Flow<K, Tracked<V>>> Flow<K, V> for TrackedFlow<F> {
    #[inline]
    fn key(&self) -> &K {
        self.0.key()
    }

    #[inline]
    fn reply_key(&self) -> Option<&K> {
        self.0.reply_key()
    }

    #[inline]
    fn value(&self) -> &V {
        self.0.value().value()
    }

    #[inline]
    fn state(&self) -> StateView<'_> {
        self.0.state()
    }

    fn set_deadline(&self, deadline: Timestamp) -> Result<(), NotLive> {
        self.0.set_deadline(deadline)
    }

    fn set_timeout(&self, timeout: impl Into<Timeout>, now: Timestamp) -> Result<(), NotLive> {
        self.0.set_timeout(timeout, now)
    }

    fn cancel(&self) -> bool {
        self.0.cancel()
    }
}

impl<F: fmt::Debug> fmt::Debug for TrackedFlow<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A handle of a [`Replicated`](crate::Replicated) table.
#[derive(Clone, PartialEq, Eq, RefCast)]
#[repr(transparent)]
pub struct TrackedRef<R>(R);

impl<R> TrackedRef<R> {
    #[inline]
    pub(crate) const fn new(handle: R) -> Self {
        Self(handle)
    }

    /// The same handle, as the inner table knows it.
    #[inline]
    pub const fn inner(&self) -> &R {
        &self.0
    }
}

impl<R: Deref<Target: Sized>> Deref for TrackedRef<R> {
    type Target = TrackedFlow<R::Target>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        TrackedFlow::ref_cast(&*self.0)
    }
}

impl<R: Hash> Hash for TrackedRef<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<R: fmt::Debug> fmt::Debug for TrackedRef<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<K, V, R: FlowRef<K, Tracked<V>>> FlowRef<K, V> for TrackedRef<R> {
    type Flow = TrackedFlow<R::Flow>;
    type Weak = TrackedWeak<R::Weak>;

    fn direction(&self) -> Direction {
        self.0.direction()
    }

    fn downgrade(&self) -> Self::Weak {
        TrackedWeak(self.0.downgrade())
    }
}

/// A weak reference of a [`Replicated`](crate::Replicated) table.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TrackedWeak<W>(W);

impl<W: fmt::Debug> fmt::Debug for TrackedWeak<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<K, V, W: WeakFlowRef<K, Tracked<V>>> WeakFlowRef<K, V> for TrackedWeak<W> {
    type Strong = TrackedRef<W::Strong>;

    fn upgrade(&self) -> Option<Self::Strong> {
        self.0.upgrade().map(TrackedRef)
    }
}
