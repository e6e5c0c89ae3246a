use flow_table_api::{Flow, OnExpiry, Timeout, Timestamp};

use super::op::{MAX_KEY, MAX_VALUE, Op, REMOVE};
use crate::codec::{Codec, KeyCodec, ValueCodec};
use crate::{Epoch, Life, ShardId, Tracked};

/// The first fields of a record.
pub struct Head {
    pub op: Op,
    pub shard: ShardId,
    pub epoch: Epoch,
    pub life: Life,
    pub sequence: u32,
}

/// A key or a value whose form is too long for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Appends a record without a body.
pub fn write_key<K, V, C: Codec<K, V>>(
    bytes: &mut Vec<u8>,
    head: &Head,
    key: &K,
    codec: &C,
) -> Result<(), TooLong> {
    record(bytes, head, |bytes| counted(bytes, |bytes| codec.keys().encode_key(key, bytes)))
}

/// Appends a record with a body. `deadline` is that of the flow, read once.
pub fn write_body<K, V, C: Codec<K, V>>(
    bytes: &mut Vec<u8>,
    head: &Head,
    flow: &impl Flow<K, Tracked<V>>,
    times: (Timestamp, Timestamp),
    codec: &C,
) -> Result<(), TooLong> {
    let (now, deadline) = times;
    record(bytes, head, |bytes| {
        counted(bytes, |bytes| codec.keys().encode_key(flow.key(), bytes))?;
        let remove = if flow.on_expiry() == OnExpiry::Remove { REMOVE } else { 0 };
        let remaining = deadline.as_nanos().saturating_sub(now.as_nanos());
        let mut fields = [0; 12];
        fields[..4].copy_from_slice(&(Timeout::from(flow.timeout()).to_bits() | remove).to_le_bytes());
        fields[4..].copy_from_slice(&remaining.to_le_bytes());
        bytes.extend_from_slice(&fields);
        match flow.reply_key() {
            Some(reply) => counted(bytes, |bytes| codec.keys().encode_key(reply, bytes))?,
            None => bytes.push(0),
        }
        let start = bytes.len();
        codec.values().encode_value(flow.value().value(), bytes);
        if bytes.len() - start <= MAX_VALUE { Ok(()) } else { Err(TooLong) }
    })
}

fn record(
    bytes: &mut Vec<u8>,
    head: &Head,
    rest: impl FnOnce(&mut Vec<u8>) -> Result<(), TooLong>,
) -> Result<(), TooLong> {
    let start = bytes.len();
    let mut fields = [0; 20];
    (fields[2], fields[3]) = (head.op.code(), head.shard.get());
    fields[4..8].copy_from_slice(&head.epoch.get().to_le_bytes());
    fields[8..16].copy_from_slice(&head.life.to_bits().to_le_bytes());
    fields[16..].copy_from_slice(&head.sequence.to_le_bytes());
    bytes.extend_from_slice(&fields);
    rest(bytes)?;
    // At most 24 + 3 × 256 + 4096.
    let len = bytes.len() - start - 2;
    bytes[start..start + 2].copy_from_slice(&(len as u16).to_le_bytes());
    Ok(())
}

/// Appends bytes behind their length in one byte.
fn counted(bytes: &mut Vec<u8>, form: impl FnOnce(&mut Vec<u8>)) -> Result<(), TooLong> {
    let at = bytes.len();
    bytes.push(0);
    form(bytes);
    let len = bytes.len() - at - 1;
    if len > MAX_KEY {
        return Err(TooLong);
    }
    bytes[at] = len as u8;
    Ok(())
}
