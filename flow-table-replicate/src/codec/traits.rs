use std::hash::Hasher;

/// Bytes that hold no key or no value. The record that has them is refused and counted.
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[error("the bytes hold no such key or value")]
pub struct Malformed;

/// How keys are written.
///
/// Every key has one form, the same on every machine: a standby looks flows up by it.
/// [`FlowKeys`](super::FlowKeys) and [`Postcard`](super::Postcard) are ready made.
pub trait KeyCodec<K>: Send + Sync + 'static {
    /// Appends `key` to `bytes`: at most [`MAX_KEY`](crate::record::MAX_KEY) bytes, else the flow is not
    /// replicated, and counted.
    fn encode_key(&self, key: &K, bytes: &mut Vec<u8>);

    /// Reads a key that takes all of `bytes`, which may be anything.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if they hold no key.
    fn decode_key(&self, bytes: &[u8]) -> Result<K, Malformed>;

    /// Writes what decides the key's shard. Keys of both directions of a conversation should write the same.
    fn shard_key(&self, key: &K, hasher: &mut impl Hasher) {
        let mut bytes = Vec::new();
        self.encode_key(key, &mut bytes);
        hasher.write(&bytes);
    }
}

/// How values are written. [`Postcard`](super::Postcard) and [`Raw`](super::Raw) are ready made.
pub trait ValueCodec<V>: Send + Sync + 'static {
    /// Appends `value` to `bytes`: at most [`MAX_VALUE`](crate::record::MAX_VALUE) bytes, else the flow is not
    /// replicated, and counted. Equal values must have equal forms: a standby compares them.
    fn encode_value(&self, value: &V, bytes: &mut Vec<u8>);

    /// Reads a value that takes all of `bytes`, which may be anything.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if they hold no value.
    fn decode_value(&self, bytes: &[u8]) -> Result<V, Malformed>;
}

/// How flows are written: a pair of a [`KeyCodec`] and a [`ValueCodec`].
pub trait Codec<K, V>: Send + Sync + 'static {
    /// How keys are written.
    type Keys: KeyCodec<K>;
    /// How values are written.
    type Values: ValueCodec<V>;

    /// How keys are written.
    fn keys(&self) -> &Self::Keys;
    /// How values are written.
    fn values(&self) -> &Self::Values;
}

impl<K, V, A: KeyCodec<K>, B: ValueCodec<V>> Codec<K, V> for (A, B) {
    type Keys = A;
    type Values = B;

    #[inline]
    fn keys(&self) -> &A {
        &self.0
    }

    #[inline]
    fn values(&self) -> &B {
        &self.1
    }
}
