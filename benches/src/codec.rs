//! The forms of keys and values for replication.

use std::hash::Hasher;

use flow_table_replicate::codec::{KeyCodec, Malformed, ValueCodec};

use crate::data::{Key, Payload, key, payload};

/// Keys as their 40 bytes, values as their 64.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl KeyCodec<Key> for Plain {
    fn encode_key(&self, key: &Key, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(key.words().map(u64::to_le_bytes).as_flattened());
    }

    fn decode_key(&self, bytes: &[u8]) -> Result<Key, Malformed> {
        let number = bytes.last_chunk().ok_or(Malformed)?;
        Ok(key(u64::from_le_bytes(*number)))
    }

    fn shard_key(&self, key: &Key, hasher: &mut impl Hasher) {
        key.words().iter().for_each(|word| hasher.write(&word.to_le_bytes()));
    }
}

impl ValueCodec<Payload> for Plain {
    fn encode_value(&self, value: &Payload, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(value.map(u64::to_le_bytes).as_flattened());
    }

    fn decode_value(&self, bytes: &[u8]) -> Result<Payload, Malformed> {
        let first = bytes.first_chunk().ok_or(Malformed)?;
        Ok(payload(u64::from_le_bytes(*first)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::index;

    #[test]
    fn flows_come_back() {
        let (mut form, mut value) = (Vec::new(), Vec::new());
        Plain.encode_key(&key(77), &mut form);
        Plain.encode_value(&payload(77), &mut value);
        assert_eq!((form.len(), value.len()), (40, 64));
        assert_eq!(Plain.decode_key(&form).map(|key| index(&key)), Ok(77));
        assert_eq!(Plain.decode_value(&value), Ok(payload(77)));
    }
}
