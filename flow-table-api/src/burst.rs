use crate::{Borrowed, Flow, FlowRef, KeyForm, KeyHash, Timestamp};

/// An open burst: look-ups within it borrow flows, all at the burst's `now`, and count no reference (contract U1).
///
/// The rules for look-ups ([`Table::lookup`](crate::Table::lookup)) hold for them. An open burst blocks no
/// operation on any thread, its own included. It only delays the drop of the values of flows that end while it
/// is open (contract U2). Any number of bursts may be open, on any threads, also several on one thread
/// (contract U3). Keep bursts short: the memory of ended flows is not reused before the oldest burst that could
/// see them is closed.
///
/// A burst that stalls holds back a bounded amount (contract U4): flows that existed, in the table or by a handle,
/// at some time between its opening and its last look-up, and those that came until the table noticed that it
/// stalls. It notices after a fixed number of ended flows, up to 1,500, have waited for the burst; what is in the
/// table by then may wait, too. So with `b` bursts open for ever, or leaked, and few handles, memory stays within
/// 1 + `b` times what the capacity takes, whatever comes and goes.
/// [`Stats::oldest_burst`](crate::Stats::oldest_burst) helps to find the thread that stalls.
pub trait Burst<K, V> {
    /// What look-ups borrow.
    type Flow: Flow<K, V>;
    /// What outlives the burst.
    type Ref: FlowRef<K, V, Flow = Self::Flow>;

    /// The burst's time.
    fn now(&self) -> Timestamp;

    /// Looks `key` up at the burst's `now`, as [`Table::lookup`](crate::Table::lookup) does.
    #[inline]
    fn get<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> Option<Borrowed<'_, Self::Flow>> {
        self.get_hashed(key, self.hash(key))
    }

    /// As [`get`](Self::get), with the key's hash: see [`Table::lookup_hashed`](crate::Table::lookup_hashed).
    fn get_hashed<Q: KeyForm<K> + ?Sized>(&self, key: &Q, hash: KeyHash) -> Option<Borrowed<'_, Self::Flow>>;

    /// Looks all `keys` up. `found` is cleared; it then holds one entry for each key, in the order of `keys`
    /// (contract L5).
    #[inline]
    fn get_batch<'b, Q: KeyForm<K>>(&'b self, keys: &[Q], found: &mut Vec<Option<Borrowed<'b, Self::Flow>>>) {
        found.clear();
        found.extend(keys.iter().map(|key| self.get(key)));
    }

    /// The hash of a key in this table: see [`Table::hash`](crate::Table::hash).
    fn hash<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> KeyHash;

    /// The hashes of all `keys`. `hashes` is cleared; it then holds one hash for each key, in the order of `keys`.
    #[inline]
    fn hash_batch<Q: KeyForm<K>>(&self, keys: &[Q], hashes: &mut Vec<KeyHash>) {
        hashes.clear();
        hashes.extend(keys.iter().map(|key| self.hash(key)));
    }

    /// As [`get_batch`](Self::get_batch), with the hash of each key. Pass the hash of a key that was not found to
    /// the insertion that follows ([`FlowSpec::hashed`](crate::FlowSpec::hashed)): each key is then hashed once.
    ///
    /// # Panics
    ///
    /// If there are not as many hashes as keys.
    #[inline]
    fn get_batch_hashed<'b, Q: KeyForm<K>>(
        &'b self,
        keys: &[Q],
        hashes: &[KeyHash],
        found: &mut Vec<Option<Borrowed<'b, Self::Flow>>>,
    ) {
        assert_eq!(keys.len(), hashes.len(), "one hash for each key");
        found.clear();
        found.extend(keys.iter().zip(hashes).map(|(key, &hash)| self.get_hashed(key, hash)));
    }

    /// A handle to a flow that this burst borrowed, with the same direction. Use it for what must outlive the
    /// burst.
    ///
    /// Returns `None` if the flow has ended and no other reference to it is left. The flow can still be read
    /// until the burst closes.
    fn handle(&self, flow: Borrowed<'_, Self::Flow>) -> Option<Self::Ref>;
}
