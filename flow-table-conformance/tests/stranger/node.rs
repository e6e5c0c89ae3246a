//! A flow, and the references to it.

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::ThreadId;
use std::time::Duration;
use std::{fmt, ptr};

use flow_table_conformance::api::state::{FlowOptions, FlowState, StateView};
use flow_table_conformance::api::{
    Direction, FinalRecord, Flow, FlowRef, Key, NotLive, Status, Timeout, Timestamp, Value, WeakFlowRef,
};

use super::flaw::{self, Flaw};
use super::shared::Shared;

pub struct Node<K: Key, V: Value> {
    pub id: u64,
    pub table: Weak<Shared<K, V>>,
    pub me: Weak<Self>,
    /// The hash of each key.
    pub hashes: Vec<u64>,
    /// `None` only in its own drop.
    pub body: Option<Body<K, V>>,
    pub records: Option<Records<K, V>>,
    pub state: FlowState,
    pub options: FlowOptions,
    pub slack: Duration,
    /// The thread that inserted it.
    pub thread: ThreadId,
    /// How many [`Handle`]s there are: references other than the table's own.
    pub handles: AtomicUsize,
    /// It has made room for another one.
    pub died: AtomicBool,
    /// The number of the question that a reap asks about it; zero if none does.
    pub asked: AtomicU64,
}

/// What the caller put in.
pub struct Body<K, V> {
    pub key: K,
    pub reply: Option<K>,
    pub value: V,
}

/// Where final records go.
pub type Records<K, V> = Arc<dyn Fn(FinalRecord<K, V>) + Send + Sync>;

impl<K: Key, V: Value> Node<K, V> {
    fn body(&self) -> &Body<K, V> {
        self.body.as_ref().expect("there until dropped")
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.table.upgrade().is_some_and(|table| table.is(flaw))
    }

    /// Changes the deadline, and files the flow under the new one.
    fn refile(&self, change: impl FnOnce() -> Result<(), NotLive>) -> Result<(), NotLive> {
        let table = self.table.upgrade();
        let mut inner = table.as_ref().map(|table| table.inner.write());
        change()?;
        if let Some(inner) = &mut inner
            && !self.is(Flaw::MissesEarlierDeadlines)
        {
            inner.bring_forward(self.id, self.deadline());
        }
        drop(inner);
        if let Some(table) = table {
            table.ring(self.deadline());
        }
        Ok(())
    }

    pub fn is_held(&self) -> bool {
        // Pairs with the Release in `Handle::drop`.
        self.handles.load(Ordering::Acquire) > 0
    }
}

impl<K: Key, V: Value> Flow<K, V> for Node<K, V> {
    fn key(&self) -> &K {
        &self.body().key
    }

    fn reply_key(&self) -> Option<&K> {
        self.body().reply.as_ref()
    }

    fn value(&self) -> &V {
        &self.body().value
    }

    fn state(&self) -> StateView<'_> {
        StateView::new(&self.state, &self.options, &self.slack)
    }

    fn refresh(&self, now: Timestamp) -> bool {
        if self.is(Flaw::RefreshAccumulates) {
            return self.state.set_deadline(self.deadline() + self.timeout()).is_ok();
        }
        if self.is(Flaw::RefreshRevives) {
            return self.state.set_deadline(now + self.timeout()).is_ok();
        }
        let wanted = now + self.timeout();
        if self.is(Flaw::SlackShortens) && self.is_live(now) && wanted <= self.deadline() + self.slack {
            return true;
        }
        let granted = self.state().refresh(now);
        if self.is(Flaw::SlackAccumulates) && granted {
            return self.state.set_deadline(self.deadline() + self.slack).is_ok();
        }
        granted
    }

    fn refresh_for(&self, timeout: impl Into<Timeout>, now: Timestamp) -> bool {
        let deadline = now + timeout.into();
        if self.is(Flaw::RefreshForShortens) && self.is_live(now) {
            return self.set_deadline(deadline).is_ok();
        }
        self.state().extend(now, deadline)
    }

    fn set_deadline(&self, deadline: Timestamp) -> Result<(), NotLive> {
        self.refile(|| self.state.set_deadline(deadline).map(drop).map_err(NotLive))
    }

    fn set_timeout(&self, timeout: impl Into<Timeout>, now: Timestamp) -> Result<(), NotLive> {
        let timeout = timeout.into();
        let set = || self.state.set_timeout(timeout, now, &self.options);
        self.refile(|| set().map(drop).map_err(|old| NotLive(old.status)))
    }

    fn cancel(&self) -> bool {
        self.table.upgrade().is_some_and(|table| {
            let cancelled = table.cancel(self);
            if cancelled && !self.is(Flaw::CancellingWakesNobody) {
                table.ring(Timestamp::ZERO);
            }
            cancelled
        })
    }
}

impl<K: Key, V: Value> Drop for Node<K, V> {
    fn drop(&mut self) {
        if let Some(table) = self.table.upgrade() {
            // Relaxed: nobody else has the flow any more.
            table.clear(self.id, &self.hashes, self.died.load(Ordering::Relaxed));
        }
        let forgets_the_removed = self.is(Flaw::RemovedFlowsLeaveNoRecord) && self.status() == Status::Detached;
        let (word, timeout) = (self.state.load(), self.timeout());
        let was_prepared = word.is_starting() && !self.is(Flaw::PreparedFlowsAreRecorded);
        let is_too_late = flaw::chosen() == Some(Flaw::RecordsGoWithTheTable) && self.table.upgrade().is_none();
        if let Some((records, body)) = self.records.take().zip(self.body.take())
            && !forgets_the_removed
            && !is_too_late
            && !was_prepared
        {
            let Body { key, reply, value } = body;
            records(FinalRecord::new((key, reply), value, word.status, word.deadline, timeout));
        }
    }
}

pub struct Handle<K: Key, V: Value> {
    node: Arc<Node<K, V>>,
    direction: Direction,
}

impl<K: Key, V: Value> Handle<K, V> {
    pub fn new(node: Arc<Node<K, V>>, direction: Direction) -> Self {
        // Relaxed: a thread that needs the exact count holds the lock under which first handles are made.
        node.handles.fetch_add(1, Ordering::Relaxed);
        Self { node, direction }
    }

    pub const fn node(&self) -> &Arc<Node<K, V>> {
        &self.node
    }
}

impl<K: Key, V: Value> FlowRef<K, V> for Handle<K, V> {
    type Flow = Node<K, V>;
    type Weak = WeakHandle<K, V>;

    fn direction(&self) -> Direction {
        self.direction
    }

    fn downgrade(&self) -> WeakHandle<K, V> {
        WeakHandle { node: self.node.me.clone(), direction: self.direction }
    }
}

impl<K: Key, V: Value> Clone for Handle<K, V> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.node), self.direction)
    }
}

impl<K: Key, V: Value> Drop for Handle<K, V> {
    fn drop(&mut self) {
        // Pairs with the Acquire in `is_held`.
        self.node.handles.fetch_sub(1, Ordering::Release);
    }
}

impl<K: Key, V: Value> Deref for Handle<K, V> {
    type Target = Node<K, V>;

    fn deref(&self) -> &Node<K, V> {
        &self.node
    }
}

impl<K: Key, V: Value> PartialEq for Handle<K, V> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.node, &other.node) || self.is(Flaw::ComparesByKey) && self.key() == other.key()
    }
}

impl<K: Key, V: Value> Eq for Handle<K, V> {}

impl<K: Key, V: Value> Hash for Handle<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        ptr::hash(Arc::as_ptr(&self.node), state);
    }
}

impl<K: Key, V: Value> fmt::Debug for Handle<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({}, {:?}, {:?})", self.id, self.direction, self.state)
    }
}

pub struct WeakHandle<K: Key, V: Value> {
    node: Weak<Node<K, V>>,
    direction: Direction,
}

impl<K: Key, V: Value> WeakFlowRef<K, V> for WeakHandle<K, V> {
    type Strong = Handle<K, V>;

    fn upgrade(&self) -> Option<Handle<K, V>> {
        self.node.upgrade().map(|node| Handle::new(node, self.direction))
    }
}

impl<K: Key, V: Value> Clone for WeakHandle<K, V> {
    fn clone(&self) -> Self {
        Self { node: self.node.clone(), direction: self.direction }
    }
}

impl<K: Key, V: Value> PartialEq for WeakHandle<K, V> {
    fn eq(&self, other: &Self) -> bool {
        Weak::ptr_eq(&self.node, &other.node)
    }
}

impl<K: Key, V: Value> Eq for WeakHandle<K, V> {}

impl<K: Key, V: Value> Hash for WeakHandle<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        ptr::hash(self.node.as_ptr(), state);
    }
}

impl<K: Key, V: Value> fmt::Debug for WeakHandle<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakHandle")
    }
}
