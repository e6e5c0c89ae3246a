//! A codec for tables of anything.

use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use flow_table_replicate::codec::{Codec, KeyCodec, Malformed, ValueCodec};

/// Writes any key and any value as nothing, so that a table of anything can be recorded.
pub struct Nothing<K, V>(PhantomData<fn() -> (K, V)>);

impl<K, V> Default for Nothing<K, V> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<K: Hash + 'static, V: 'static> KeyCodec<K> for Nothing<K, V> {
    fn encode_key(&self, _: &K, _: &mut Vec<u8>) {}

    fn decode_key(&self, _: &[u8]) -> Result<K, Malformed> {
        Err(Malformed)
    }

    fn shard_key(&self, key: &K, hasher: &mut impl Hasher) {
        key.hash(hasher);
    }
}

impl<K: 'static, V: 'static> ValueCodec<V> for Nothing<K, V> {
    fn encode_value(&self, _: &V, _: &mut Vec<u8>) {}

    fn decode_value(&self, _: &[u8]) -> Result<V, Malformed> {
        Err(Malformed)
    }
}

impl<K: Hash + 'static, V: 'static> Codec<K, V> for Nothing<K, V> {
    type Keys = Self;
    type Values = Self;

    fn keys(&self) -> &Self {
        self
    }

    fn values(&self) -> &Self {
        self
    }
}
