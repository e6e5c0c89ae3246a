use std::fmt;
use std::hash::Hash;
use std::ops::Deref;
use std::time::Duration;

use equivalent::Equivalent;

use crate::state::StateView;
use crate::{Direction, KeyHash, NotLive, OnExpiry, Status, Timeout, Timestamp};

/// What a key must be: hashable, comparable and without borrowed data. Implemented for every such type.
///
/// `Hash` and `Eq` may run under a lock of the table, so they must not call the table. They may panic (contract
/// V4).
pub trait Key: Hash + Eq + Send + Sync + 'static {}
impl<K: Hash + Eq + Send + Sync + 'static> Key for K {}

/// What a key of type `K` can be looked up by (contract L7): the key itself, a borrowed form of it (`&str` for a
/// `String`), or any type that is [`Equivalent`] to it. Implemented for every such type.
///
/// A form must hash as the key does that it is equivalent to. Otherwise look-ups by it do not find the key's flow,
/// and do no other harm. What [`Key`] says about `Hash` and `Eq` holds for it, too.
///
/// ```
/// use flow_table_api::{FlowSpec, Table, Timestamp};
///
/// /// Sessions are keyed by owned names, and looked up by names that a packet lends.
/// fn is_known<T: Table<String, u64>>(table: &T, name: &str, now: Timestamp) -> bool {
///     table.contains_key(name, now)
/// }
/// ```
pub trait KeyForm<K: ?Sized>: Hash + Equivalent<K> {}
impl<K: ?Sized, Q: Hash + Equivalent<K> + ?Sized> KeyForm<K> for Q {}

/// What a value must be. Implemented for every such type.
///
/// A table may move a value to another address while nobody holds or has borrowed its flow (contract C3a).
pub trait Value: Send + Sync + 'static {}
impl<V: Send + Sync + 'static> Value for V {}

/// A flow: what a handle or a [`Borrowed`] dereferences to. Neither needs the table for what follows.
///
/// A flow is shared, so its value is never borrowed mutably. Put atomics or a lock into it if it must change.
pub trait Flow<K, V> {
    /// The forward key: the one the flow was made with.
    fn key(&self) -> &K;

    /// The reply key, if the flow has one (contract I4).
    fn reply_key(&self) -> Option<&K>;

    /// The user's value.
    fn value(&self) -> &V;

    /// The flow's status, deadline, timeout and [`OnExpiry`]. The methods below are written over it.
    fn state(&self) -> StateView<'_>;

    /// The key for `direction`: `None` if it is [`Reply`](Direction::Reply) and the flow has one key.
    fn key_for(&self, direction: Direction) -> Option<&K> {
        match direction {
            Direction::Forward => Some(self.key()),
            Direction::Reply => self.reply_key(),
        }
    }

    /// The flow's status. `Active` may be out of date the moment it is read. `Cancelled` is final; `Expired`
    /// and `Detached` are final unless the flow is reinserted.
    #[inline]
    fn status(&self) -> Status {
        self.state().load().status
    }

    /// The time at which the flow expires unless it is refreshed. For a flow that has ended: its last deadline.
    /// For a cancelled flow, it may be [`Timestamp::MAX`] if it was 2⁶¹ - 1 ns (73 years) or later.
    #[inline]
    fn deadline(&self) -> Timestamp {
        self.state().load().deadline
    }

    /// The idle time after which the flow expires.
    #[inline]
    fn timeout(&self) -> Duration {
        self.state().timeout()
    }

    /// What look-ups do with the flow once it has expired (contract L3).
    fn on_expiry(&self) -> OnExpiry {
        self.state().on_expiry()
    }

    /// Returns `true` if the flow is `Active` and `now` is before its deadline (contract T3).
    #[inline]
    fn is_live(&self, now: Timestamp) -> bool {
        self.state().is_live(now)
    }

    /// Moves the deadline to `max(deadline, now + timeout)`. Returns `true` if the refresh was granted
    /// (contract D1). In a table with [slack](crate::TableConfig::refresh_slack), it may move the deadline to a
    /// time that is later by at most that much (contract D5).
    ///
    /// A refresh is granted exactly if the flow is live at `now`. A refused refresh changes nothing. A granted
    /// refresh is never lost: the flow does not expire before the new deadline, even if a reap runs at the same
    /// time (contract D2). Many refreshes at the same `now` have the effect of one (contract D3).
    ///
    /// # Blocking
    ///
    /// Never blocks. A refresh takes no lock, touches no queue and hashes nothing. It is one atomic
    /// read-modify-write of the flow, or only a load if the deadline is that late already.
    #[inline]
    fn refresh(&self, now: Timestamp) -> bool {
        self.state().refresh(now)
    }

    /// As [`refresh`](Self::refresh), with another timeout for this once: moves the deadline to `max(deadline, now
    /// + timeout)`. The flow's own timeout stays, and slack plays no part.
    fn refresh_for(&self, timeout: impl Into<Timeout>, now: Timestamp) -> bool {
        self.state().extend(now, now + timeout.into())
    }

    /// Sets the deadline of an active flow, also to an earlier time. The flow then expires at the new deadline;
    /// the table does not wait for the old one (contract D4). Later refreshes work as before.
    ///
    /// # Errors
    ///
    /// [`NotLive`] if the flow has ended. Nothing has changed.
    ///
    /// # Blocking
    ///
    /// May take the lock of the flow's shard for a short time. No user code runs under that lock in this call.
    fn set_deadline(&self, deadline: Timestamp) -> Result<(), NotLive>;

    /// Stores a new timeout, and sets the deadline to `now + timeout` if the flow is live at `now`, also to an
    /// earlier time (contract D4). This is what a closing TCP connection needs. The timeout is stored even if the
    /// flow is not live; a later [`reinsert`](crate::Table::reinsert) uses it.
    ///
    /// # Errors
    ///
    /// [`NotLive`] if the flow is not live at `now`: the timeout is stored, the deadline has not changed.
    ///
    /// # Blocking
    ///
    /// As for [`set_deadline`](Self::set_deadline).
    fn set_timeout(&self, timeout: impl Into<Timeout>, now: Timestamp) -> Result<(), NotLive>;

    /// Ends the flow: `Active` → `Cancelled`. Returns `true` if this call ended it. It needs neither a key nor
    /// the table (contract E1).
    ///
    /// Once it has returned, look-ups no longer find the flow, and the next reap hands it over, whatever its
    /// deadline. A flow that has already ended keeps its status, and the call returns `false`. If that flow has
    /// *expired*, look-ups no longer find it from then on.
    ///
    /// # Blocking
    ///
    /// May take the lock of the flow's shard for a short time. No user code runs under that lock in this call.
    fn cancel(&self) -> bool;
}

/// A flow found within a [`Burst`](crate::Burst), borrowed for as long as the burst is open (contract U1).
pub struct Borrowed<'b, F> {
    flow: &'b F,
    direction: Direction,
}

impl<'b, F> Borrowed<'b, F> {
    /// For backends: `flow`, found under its key for `direction`.
    #[inline]
    pub const fn new(flow: &'b F, direction: Direction) -> Self {
        Self { flow, direction }
    }

    /// Which of the flow's keys matched.
    #[inline]
    pub const fn direction(self) -> Direction {
        self.direction
    }

    /// The flow, for as long as the burst is open.
    #[inline]
    pub const fn flow(self) -> &'b F {
        self.flow
    }
}

impl<F> Clone for Borrowed<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Borrowed<'_, F> {}

impl<F> Deref for Borrowed<'_, F> {
    type Target = F;

    #[inline]
    fn deref(&self) -> &F {
        self.flow
    }
}

impl<F: fmt::Debug> fmt::Debug for Borrowed<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Borrowed").field("flow", &self.flow).field("direction", &self.direction).finish()
    }
}

/// A flow to insert, with its keys. There is no way to insert it under other keys (contract I6).
///
/// ```
/// # use flow_table_api::{NewFlow, OnExpiry};
/// # use std::time::Duration;
/// let nat = NewFlow::new("inside", 0u64)
///     .reply("outside")
///     .timeout(Duration::from_secs(120))
///     .on_expiry(OnExpiry::Remove);
/// assert_eq!(nat.reply_key(), Some(&"outside"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct NewFlow<K, V> {
    spec: FlowSpec<K>,
    value: V,
}

/// A flow to insert, without its value. [`get_or_insert_with`](crate::Table::get_or_insert_with) takes one, and
/// a closure that makes the value.
///
/// ```
/// # use flow_table_api::FlowSpec;
/// # use std::time::Duration;
/// let spec = FlowSpec::new("inside").reply("outside").timeout(Duration::from_secs(120));
/// let flow = spec.value(0u64);
/// assert_eq!((flow.key(), flow.value()), (&"inside", &0));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct FlowSpec<K> {
    key: K,
    reply: Option<K>,
    hash: Option<KeyHash>,
    reply_hash: Option<KeyHash>,
    timeout: Timeout,
    on_expiry: OnExpiry,
}

impl<K> FlowSpec<K> {
    /// The timeout of a flow for which none is set: 60 seconds.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

    /// A flow with one key, the [default timeout](Self::DEFAULT_TIMEOUT) and [`OnExpiry::KeepWhileReferenced`].
    pub fn new(key: K) -> Self {
        Self {
            key,
            reply: None,
            hash: None,
            reply_hash: None,
            timeout: Self::DEFAULT_TIMEOUT.into(),
            on_expiry: OnExpiry::default(),
        }
    }

    /// Sets a second key. It need not be related to the first one, but must differ from it (contract I4).
    pub fn reply(mut self, key: K) -> Self {
        (self.reply, self.reply_hash) = (Some(key), None);
        self
    }

    /// Sets the idle time after which the flow expires; see [`Timeout`] for its precision.
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// Sets what look-ups do with the flow once it has expired (contract L3).
    pub const fn on_expiry(mut self, on_expiry: OnExpiry) -> Self {
        self.on_expiry = on_expiry;
        self
    }

    /// Sets the hash of the forward key, so that the insertion does not compute it again. The hash must come
    /// from the table into which the flow is inserted ([`Table::hash`]).
    ///
    /// Look-ups do not find a flow that was inserted with a wrong hash. It expires like any other flow, and
    /// does no other harm.
    ///
    /// [`Table::hash`]: crate::Table::hash
    pub const fn hashed(mut self, hash: KeyHash) -> Self {
        self.hash = Some(hash);
        self
    }

    /// Sets the hash of the reply key, as [`hashed`](Self::hashed) does for the forward key. Call it after
    /// [`reply`](Self::reply), which forgets the hash of an earlier reply key.
    pub const fn reply_hashed(mut self, hash: KeyHash) -> Self {
        self.reply_hash = Some(hash);
        self
    }

    /// The hash of the forward key, if it was set.
    pub const fn hash(&self) -> Option<KeyHash> {
        self.hash
    }

    /// The hash of the reply key, if it was set.
    pub const fn reply_hash(&self) -> Option<KeyHash> {
        self.reply_hash
    }

    /// The flow with this value.
    pub fn value<V>(self, value: V) -> NewFlow<K, V> {
        NewFlow { spec: self, value }
    }

    /// The forward key.
    pub const fn key(&self) -> &K {
        &self.key
    }

    /// The reply key, if any.
    pub const fn reply_key(&self) -> Option<&K> {
        self.reply.as_ref()
    }
}

impl<K> fmt::Debug for FlowSpec<K> {
    /// Shows no keys, so that they need no `Debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowSpec")
            .field("two_keys", &self.reply.is_some())
            .field("timeout", &self.timeout)
            .field("on_expiry", &self.on_expiry)
            .finish_non_exhaustive()
    }
}

/// The parts of a [`NewFlow`], for backends and for callers whose flow was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFlowParts<K, V> {
    /// The forward key.
    pub key: K,
    /// The reply key, if any.
    pub reply: Option<K>,
    /// The value.
    pub value: V,
    /// The idle time after which the flow expires.
    pub timeout: Timeout,
    /// What look-ups do with the flow once it has expired.
    pub on_expiry: OnExpiry,
}

impl<K, V> NewFlow<K, V> {
    /// The timeout of a flow for which none is set: 60 seconds.
    pub const DEFAULT_TIMEOUT: Duration = FlowSpec::<K>::DEFAULT_TIMEOUT;

    /// A flow with one key, the [default timeout](Self::DEFAULT_TIMEOUT) and [`OnExpiry::KeepWhileReferenced`].
    pub fn new(key: K, value: V) -> Self {
        FlowSpec::new(key).value(value)
    }

    /// Sets a second key. It need not be related to the first one, but must differ from it (contract I4).
    pub fn reply(mut self, key: K) -> Self {
        self.spec = self.spec.reply(key);
        self
    }

    /// Sets the idle time after which the flow expires; see [`Timeout`] for its precision.
    pub fn timeout(mut self, timeout: impl Into<Timeout>) -> Self {
        self.spec.timeout = timeout.into();
        self
    }

    /// Sets what look-ups do with the flow once it has expired (contract L3).
    pub const fn on_expiry(mut self, on_expiry: OnExpiry) -> Self {
        self.spec.on_expiry = on_expiry;
        self
    }

    /// Sets the hash of the forward key: see [`FlowSpec::hashed`].
    pub const fn hashed(mut self, hash: KeyHash) -> Self {
        self.spec.hash = Some(hash);
        self
    }

    /// Sets the hash of the reply key: see [`FlowSpec::reply_hashed`].
    pub const fn reply_hashed(mut self, hash: KeyHash) -> Self {
        self.spec.reply_hash = Some(hash);
        self
    }

    /// The hash of the forward key, if it was set.
    pub const fn hash(&self) -> Option<KeyHash> {
        self.spec.hash
    }

    /// The hash of the reply key, if it was set.
    pub const fn reply_hash(&self) -> Option<KeyHash> {
        self.spec.reply_hash
    }

    /// The forward key.
    pub const fn key(&self) -> &K {
        &self.spec.key
    }

    /// The reply key, if any.
    pub const fn reply_key(&self) -> Option<&K> {
        self.spec.reply.as_ref()
    }

    /// The value.
    pub const fn value(&self) -> &V {
        &self.value
    }

    /// Takes the flow apart.
    pub fn into_parts(self) -> NewFlowParts<K, V> {
        let Self { spec: FlowSpec { key, reply, timeout, on_expiry, hash: _, reply_hash: _ }, value } = self;
        NewFlowParts { key, reply, value, timeout, on_expiry }
    }
}

impl<K, V> From<NewFlowParts<K, V>> for NewFlow<K, V> {
    fn from(parts: NewFlowParts<K, V>) -> Self {
        let NewFlowParts { key, reply, value, timeout, on_expiry } = parts;
        Self { spec: FlowSpec { key, reply, hash: None, reply_hash: None, timeout, on_expiry }, value }
    }
}

impl<K, V> fmt::Debug for NewFlow<K, V> {
    /// Shows neither keys nor value, so that they need no `Debug` and every result that holds a refused flow
    /// can be unwrapped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewFlow")
            .field("two_keys", &self.spec.reply.is_some())
            .field("timeout", &self.spec.timeout)
            .field("on_expiry", &self.spec.on_expiry)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_reply_key_has_no_old_hash() {
        let hash = KeyHash::new(8);
        let flow = NewFlow::new(1, ()).hashed(hash).reply(2).reply_hashed(hash);
        assert_eq!((flow.hash(), flow.reply_hash()), (Some(hash), Some(hash)));
        assert_eq!((flow.clone().reply(3).hash(), flow.reply(3).reply_hash()), (Some(hash), None));
    }
}
