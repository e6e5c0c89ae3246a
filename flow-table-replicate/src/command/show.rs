//! Records and sets in clear.

use std::fmt::Write as _;
use std::time::Duration;

use crate::ShardSet;
use crate::codec::{FlowKeys, KeyCodec};
use crate::record::{Op, Record};

/// A key: as a 5-tuple if it has that form, else its bytes.
fn key(bytes: &[u8]) -> String {
    FlowKeys.decode_key(bytes).map_or_else(|_| hex(bytes), |key| key.to_string())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One record, on one line.
pub fn record(record: &Record<'_>) -> String {
    let op = match record.op {
        Op::Begin => "begin",
        Op::Update => "update",
        Op::Checkpoint => "checkpoint",
        Op::Named => "named",
        Op::End => "end",
    };
    let (shard, epoch, life) = (record.shard.get(), record.epoch.get(), record.life);
    let mut text = format!("{op:<10} shard {shard:>3} epoch {epoch} life {life:?} {}", key(record.key));
    if let Some(body) = record.body {
        if let Some(reply) = body.reply {
            let _ = write!(text, " reply {}", key(reply));
        }
        let (timeout, left) = (body.timeout, Duration::from_nanos(body.remaining));
        let _ = write!(text, " timeout {timeout:?} left {left:?} value {}", hex(body.value));
    }
    text
}

/// Shards as ranges: `0-84, 170`.
pub fn shards(set: ShardSet) -> String {
    let mut ranges: Vec<(u8, u8)> = Vec::new();
    for shard in set.iter().map(|shard| shard.get()) {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == shard => *last = shard,
            _ => ranges.push((shard, shard)),
        }
    }
    let range =
        |(first, last): &(u8, u8)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    if ranges.is_empty() { "none".to_owned() } else { ranges.iter().map(range).collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ShardId;

    #[test]
    fn shards_are_shown_as_ranges() {
        let set: ShardSet = [0, 1, 2, 7, 254, 255].map(ShardId::new).into_iter().collect();
        assert_eq!(shards(set), "0-2, 7, 254-255");
        assert_eq!((shards(ShardSet::ALL), shards(ShardSet::EMPTY)), ("0-255".to_owned(), "none".to_owned()));
    }

    #[test]
    fn keys_that_are_no_tuples_are_shown_as_bytes() {
        assert_eq!(key(&[0xab, 1]), "ab01");
        assert_eq!(
            key(&[4, 17, 0, 0, 0, 10, 0, 0, 1, 0, 53, 10, 0, 0, 2, 0, 54]),
            "udp 10.0.0.1:53 > 10.0.0.2:54"
        );
    }
}
