use flow_table_api::{Borrowed, Burst, KeyForm, KeyHash, Timestamp};
use ref_cast::RefCast;

use super::{Tracked, TrackedFlow, TrackedRef, lists};

/// A burst on a [`Replicated`](crate::Replicated) table.
#[derive(Debug)]
pub struct TrackedBurst<B>(pub(super) B);

#[inline]
fn outer<F>(found: Borrowed<'_, F>) -> Borrowed<'_, TrackedFlow<F>> {
    Borrowed::new(TrackedFlow::ref_cast(found.flow()), found.direction())
}

#[deny(clippy::missing_trait_methods)]
impl<K, V, B: Burst<K, Tracked<V>>> Burst<K, V> for TrackedBurst<B> {
    type Flow = TrackedFlow<B::Flow>;
    type Ref = TrackedRef<B::Ref>;

    fn now(&self) -> Timestamp {
        self.0.now()
    }

    #[inline]
    fn get<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> Option<Borrowed<'_, Self::Flow>> {
        self.0.get(key).map(outer)
    }

    #[inline]
    fn get_hashed<Q: KeyForm<K> + ?Sized>(&self, key: &Q, hash: KeyHash) -> Option<Borrowed<'_, Self::Flow>> {
        self.0.get_hashed(key, hash).map(outer)
    }

    #[inline]
    fn get_batch<'b, Q: KeyForm<K>>(&'b self, keys: &[Q], found: &mut Vec<Option<Borrowed<'b, Self::Flow>>>) {
        lists::through(found, |found| self.0.get_batch(keys, found), outer);
    }

    #[inline]
    fn hash<Q: KeyForm<K> + ?Sized>(&self, key: &Q) -> KeyHash {
        self.0.hash(key)
    }

    #[inline]
    fn hash_batch<Q: KeyForm<K>>(&self, keys: &[Q], hashes: &mut Vec<KeyHash>) {
        self.0.hash_batch(keys, hashes);
    }

    #[inline]
    fn get_batch_hashed<'b, Q: KeyForm<K>>(
        &'b self,
        keys: &[Q],
        hashes: &[KeyHash],
        found: &mut Vec<Option<Borrowed<'b, Self::Flow>>>,
    ) {
        lists::through(found, |found| self.0.get_batch_hashed(keys, hashes, found), outer);
    }

    #[inline]
    fn handle(&self, flow: Borrowed<'_, Self::Flow>) -> Option<Self::Ref> {
        self.0.handle(Borrowed::new(flow.flow().inner(), flow.direction())).map(TrackedRef::new)
    }
}
