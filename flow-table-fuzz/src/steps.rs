//! From bytes to a configuration and steps.
//!
//! Each step is one byte for what to do and one for each of its parameters, so that changing a byte changes one
//! thing. There are two worlds, as the model follows every state that the table may be in, and choices multiply:
//!
//! * few keys: flows that stay findable after they expired, and any capacity at any time;
//! * a crowd: a hundred keys and floods, so that the table grows and shrinks.

use std::time::Duration;

use flow_table_api::{OnExpiry, TableConfig};
use flow_table_conformance::TestKey;
use flow_table_conformance::random::{Draft, Step};

/// Steps of a run; the bytes behind them do not matter.
const STEPS: usize = 200;
/// Flows of a flood.
const FLOOD: u8 = 32;

const CAPACITIES: [usize; 8] = [0, 1, 2, 3, 5, 8, 48, 1_000];
const SHARDS: [usize; 4] = [1, 2, 16, 64];

/// Around the granularities of timeouts and timers, and to both ends of time.
const TIMES: [Duration; 16] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_nanos(1 << 23),
    Duration::from_millis(134),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_nanos(1 << 31),
    Duration::from_secs(3),
    Duration::from_secs(5),
    Duration::from_secs(60),
    Duration::from_secs(134),
    Duration::from_nanos(1 << 39),
    Duration::from_secs(37 * 3600),
    Duration::from_secs(24 * 3600 * 366 * 5),
    Duration::from_secs(24 * 3600 * 365 * 30),
    Duration::MAX,
];

/// Decodes a configuration and steps from `bytes`.
pub fn decode(bytes: &[u8]) -> (TableConfig, Vec<Step>) {
    let mut bytes = Bytes { rest: bytes, crowd: false };
    let [first, capacity] = [bytes.byte().unwrap_or(0), bytes.byte().unwrap_or(0)];
    bytes.crowd = first & 1 != 0;
    let config = TableConfig::new(CAPACITIES[usize::from(capacity % 8)])
        .shards(SHARDS[usize::from(first >> 1 & 3)])
        .hash_seed(u64::from(first >> 3));
    let mut steps = Vec::new();
    while steps.len() < STEPS && bytes.steps(&mut steps).is_some() {}
    (config, steps)
}

struct Bytes<'b> {
    rest: &'b [u8],
    crowd: bool,
}

impl Bytes<'_> {
    fn byte(&mut self) -> Option<u8> {
        self.rest.split_off_first().copied()
    }

    /// Adds the next step, or those of a flood. Returns `None` at the end.
    fn steps(&mut self, steps: &mut Vec<Step>) -> Option<()> {
        let step = match self.byte()? % 32 {
            0 => Step::Lookup(self.key()?),
            1 => Step::LookupBatch(self.keys()?),
            2 | 3 => Step::Insert(self.draft()?),
            4 | 5 => Step::InsertIfAbsent(self.draft()?),
            6 => Step::GetOrInsertWith(self.draft()?),
            7 => return self.flood(steps),
            8 => Step::Reinsert(self.pick()?),
            9 => Step::Refresh(self.pick()?),
            10 => Step::SetDeadline(self.pick()?, self.shift()?),
            11 => Step::SetTimeout(self.pick()?, self.time()?),
            12 => Step::Cancel(self.pick()?),
            13 => Step::Remove(self.key()?),
            14 => Step::RemoveFlow(self.pick()?),
            15 | 16 => self.reap()?,
            17 => Step::Snapshot,
            18 => Step::Retain,
            19 => Step::SetCapacity(self.capacity()?),
            20 => Step::ShrinkToFit,
            21 => Step::Clone(self.pick()?),
            22 | 23 => Step::Drop(self.pick()?),
            24 => Step::DropAll,
            25 => Step::Upgrade(self.pick()?),
            26 => Step::Advance(self.shift()?),
            27 => Step::OpenBurst,
            28 => Step::BurstGet(self.key()?),
            29 => Step::BurstGetBatch(self.keys()?),
            30 => Step::BurstHandle(self.pick()?),
            _ => Step::CloseBurst,
        };
        steps.push(step);
        Some(())
    }

    fn flood(&mut self, steps: &mut Vec<Step>) -> Option<()> {
        let (draft, count) = (self.draft()?, self.byte()? % FLOOD);
        let first = draft.key;
        let flows = (0..=u64::from(count)).map(|next| Draft { key: first + next, reply: None, ..draft.clone() });
        let inserts = flows.map(Step::InsertIfAbsent);
        steps.extend(inserts.take(if self.crowd { FLOOD.into() } else { 1 }));
        Some(())
    }

    /// The upper bit of its range makes a key a colliding one.
    fn key(&mut self) -> Option<u64> {
        let byte = u64::from(self.byte()?);
        let (keys, id) = if self.crowd { (64, byte % 128) } else { (3, byte % 6) };
        Some(if id < keys { id } else { TestKey::COLLIDING | (id - keys) })
    }

    fn keys(&mut self) -> Option<Vec<u64>> {
        let count = self.byte()? % if self.crowd { 40 } else { 5 };
        (0..count).map(|_| self.key()).collect()
    }

    fn draft(&mut self) -> Option<Draft> {
        let (key, options) = (self.key()?, self.byte()?);
        let reply = if options & 0x80 == 0 { None } else { Some(self.key()?) };
        let remove = self.crowd || options & 0x40 != 0;
        let on_expiry = if remove { OnExpiry::Remove } else { OnExpiry::KeepWhileReferenced };
        Some(Draft { key, reply, timeout: time(options), on_expiry })
    }

    fn time(&mut self) -> Option<Duration> {
        self.byte().map(time)
    }

    /// A shift in either direction, often just before or after one of the [times](TIMES).
    fn shift(&mut self) -> Option<i64> {
        let byte = self.byte()?;
        let nanos = i64::try_from(time(byte).as_nanos()).unwrap_or(i64::MAX - 1);
        let nanos = match byte >> 4 & 3 {
            0 | 1 => nanos,
            2 => nanos - 1,
            _ => nanos + 1,
        };
        Some(if byte & 0xc0 == 0xc0 { -nanos } else { nanos })
    }

    fn pick(&mut self) -> Option<usize> {
        self.byte().map(usize::from)
    }

    fn reap(&mut self) -> Option<Step> {
        let byte = self.byte()?;
        let budget = match byte % 8 {
            few @ 0..4 => Some(usize::from(few)),
            _ => None,
        };
        Some(Step::Reap { budget, local: byte & 0x10 != 0, keep: byte & 0x20 != 0 })
    }

    /// In a crowd, never below the number of flows: a refused insertion may have noticed any that is due.
    fn capacity(&mut self) -> Option<usize> {
        let capacity = CAPACITIES[usize::from(self.byte()? % 8)];
        Some(if self.crowd { STEPS + usize::from(FLOOD) + capacity } else { capacity })
    }
}

fn time(byte: u8) -> Duration {
    TIMES[usize::from(byte & 0xf)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_can_be_written() {
        let all: Vec<u8> = [0, 0].into_iter().chain((0..32).flat_map(|kind| [kind, 1, 1, 1])).collect();
        let (_, steps) = decode(&all);
        assert!(steps.len() > 32);
        let kinds: std::collections::BTreeSet<String> =
            (0..32).map(|kind| format!("{:?}", decode(&[0, 0, kind, 0, 0, 0, 0]).1[0])).collect();
        let names: std::collections::BTreeSet<&str> =
            kinds.iter().map(|text| text.split(['(', ' ']).next().expect("a name")).collect();
        assert_eq!(names.len(), 27, "all but `Skip`: {names:?}");
    }

    #[test]
    fn a_flood_has_keys_of_its_own() {
        let (_, steps) = decode(&[1, 7, 7, 10, 4, 255]);
        assert_eq!(steps.len(), usize::from(FLOOD));
    }
}
