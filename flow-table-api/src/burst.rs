use crate::{Borrowed, Flow, FlowRef, KeyHash, Timestamp};

/// An open burst: look-ups within it borrow flows, all at the burst's `now`, and count no reference (contract U1).
///
/// The rules for look-ups ([`Table::lookup`](crate::Table::lookup)) hold for them. An open burst blocks no
/// operation of anyone, this thread included; it only delays when the values of flows that end meanwhile are
/// dropped (contract U2). Any number may be open, on any threads, more than one on a thread (contract U3). Keep
/// them short: memory of ended flows waits for the oldest.
pub trait Burst<K, V> {
    /// What look-ups borrow.
    type Flow: Flow<K, V>;
    /// What outlives the burst.
    type Ref: FlowRef<K, V, Flow = Self::Flow>;

    /// The burst's time.
    fn now(&self) -> Timestamp;

    /// Looks `key` up at the burst's `now`, as [`Table::lookup`](crate::Table::lookup) does.
    fn get(&self, key: &K) -> Option<Borrowed<'_, Self::Flow>>;

    /// Looks all `keys` up; `found` is cleared and then holds one entry for each key, in order (contract L5).
    fn get_batch<'b>(&'b self, keys: &[K], found: &mut Vec<Option<Borrowed<'b, Self::Flow>>>) {
        found.clear();
        found.extend(keys.iter().map(|key| self.get(key)));
    }

    /// The hash of a key in this table: see [`Table::hash`](crate::Table::hash).
    fn hash(&self, key: &K) -> KeyHash;

    /// As [`get_batch`](Self::get_batch), and tells the hash of each key: of a key that was not found, the flow
    /// that is inserted next can take it ([`FlowSpec::hashed`](crate::FlowSpec::hashed)), and the key is not
    /// hashed again.
    fn get_batch_hashed<'b>(
        &'b self,
        keys: &[K],
        hashes: &mut Vec<KeyHash>,
        found: &mut Vec<Option<Borrowed<'b, Self::Flow>>>,
    ) {
        hashes.clear();
        hashes.extend(keys.iter().map(|key| self.hash(key)));
        self.get_batch(keys, found);
    }

    /// A handle to a flow that this burst borrowed, with the same direction: for what must outlive the burst.
    ///
    /// `None` if the flow has ended meanwhile and everyone else has let go of it; it can still be read until
    /// the burst closes.
    fn handle(&self, flow: Borrowed<'_, Self::Flow>) -> Option<Self::Ref>;
}
