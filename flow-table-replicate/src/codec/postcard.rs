use serde::Serialize;
use serde::de::DeserializeOwned;

use super::traits::{KeyCodec, Malformed, ValueCodec};

/// Keys and values with `serde`'s traits, in the format of the crate `postcard`.
///
/// The two directions of a conversation are in the same shard only if their keys are equal: use [`FlowKeys`] for
/// 5-tuples.
///
/// [`FlowKeys`]: super::FlowKeys
#[derive(Clone, Copy, Debug, Default)]
pub struct Postcard;

/// Appends; a type that cannot be written leaves a form that is refused as too long.
fn encode(item: &impl Serialize, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    if postcard::to_io(item, &mut *bytes).is_err() {
        bytes.resize(start + usize::from(u16::MAX) + 1, 0);
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    match postcard::take_from_bytes(bytes) {
        Ok((item, [])) => Ok(item),
        _ => Err(Malformed),
    }
}

impl<K: Serialize + DeserializeOwned> KeyCodec<K> for Postcard {
    fn encode_key(&self, key: &K, bytes: &mut Vec<u8>) {
        encode(key, bytes);
    }

    fn decode_key(&self, bytes: &[u8]) -> Result<K, Malformed> {
        decode(bytes)
    }
}

impl<V: Serialize + DeserializeOwned> ValueCodec<V> for Postcard {
    fn encode_value(&self, value: &V, bytes: &mut Vec<u8>) {
        encode(value, bytes);
    }

    fn decode_value(&self, bytes: &[u8]) -> Result<V, Malformed> {
        decode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_item_is_refused() {
        let mut bytes = Vec::new();
        Postcard.encode_value(&(7u32, "state".to_owned()), &mut bytes);
        assert_eq!(ValueCodec::<(u32, String)>::decode_value(&Postcard, &bytes), Ok((7, "state".to_owned())));
        bytes.push(0);
        assert_eq!(ValueCodec::<(u32, String)>::decode_value(&Postcard, &bytes), Err(Malformed));
        assert_eq!(ValueCodec::<(u32, String)>::decode_value(&Postcard, &bytes[..3]), Err(Malformed));
    }
}
