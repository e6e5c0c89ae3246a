use std::io::Write;
use std::time::{Duration, Instant};

use hashbrown::HashMap;

use super::failure::Failure;
use crate::record::{Batch, Op, Record};
use crate::standby::{Complete, Origins};
use crate::transport::Source as _;
use crate::transport::nats::NatsTransport;
use crate::{Epoch, Life, ShardId};

/// What the log says is in the owners' tables.
#[derive(Default)]
struct Mirror {
    flows: HashMap<Box<[u8]>, Flow>,
    epochs: HashMap<ShardId, Epoch>,
    origins: Origins,
    shards: HashMap<ShardId, Compared>,
    sweeps: u64,
}

struct Flow {
    epoch: Epoch,
    life: Life,
    shard: ShardId,
    /// The sweep that named it last.
    tag: u64,
}

/// The flows of one shard, in the sweep that is being compared.
#[derive(Clone, Copy, Default)]
struct Compared {
    /// The owner named them.
    named: u64,
    /// It named them, and the log did not give them.
    missing: u64,
    /// The log gave them, and it did not name them.
    stale: u64,
}

impl Mirror {
    fn record(&mut self, record: &Record<'_>, tag: u64) {
        let epoch = self.epochs.entry(record.shard).or_default();
        if record.epoch < *epoch {
            return;
        }
        *epoch = record.epoch;
        let known = self.flows.get_mut(record.key);
        match record.op {
            Op::End => {
                if known.is_some_and(|known| known.life == record.life) {
                    self.flows.remove(record.key);
                }
            }
            op => {
                let is_known = known.as_ref().is_some_and(|known| known.life == record.life);
                let is_newer =
                    known.as_ref().is_none_or(|known| (known.epoch, known.life) <= (record.epoch, record.life));
                if tag != 0 {
                    let compared = self.shards.entry(record.shard).or_default();
                    compared.named += 1;
                    // A checkpoint may be the first that is heard of a flow that began just now.
                    compared.missing += u64::from(!is_known && is_newer && op == Op::Named);
                }
                if is_newer && (is_known || op.has_body()) {
                    let (epoch, life, shard) = (record.epoch, record.life, record.shard);
                    let tag = if tag == 0 { known.map_or(0, |known| known.tag) } else { tag };
                    self.flows.insert(record.key.into(), Flow { epoch, life, shard, tag });
                }
            }
        }
    }

    /// Drops what the sweep did not name.
    fn complete(&mut self, complete: &Complete) {
        let last: HashMap<ShardId, Life> = complete.marks.iter().map(|mark| (mark.shard, mark.last)).collect();
        let shards = &mut self.shards;
        self.flows.retain(|_, flow| {
            let is_covered = last.get(&flow.shard).is_some_and(|last| flow.life <= *last);
            let is_stale = is_covered && flow.tag != complete.tag;
            shards.entry(flow.shard).or_default().stale += u64::from(is_stale);
            !is_stale
        });
        self.sweeps += 1;
    }

    /// Returns `true` if a sweep is complete.
    fn batch(&mut self, bytes: &[u8]) -> bool {
        let Ok(batch) = Batch::parse(bytes) else { return false };
        let tag = self.origins.tag(&batch.header);
        for record in batch.records().flatten() {
            self.record(&record, tag.unwrap_or(0));
        }
        let complete = tag.and_then(|_| self.origins.swept(&batch.header, batch.marks()));
        complete.map(|complete| self.complete(&complete)).is_some()
    }

    /// Shows and forgets the comparison. Returns `true` if nothing was missing.
    fn show(&mut self, output: &mut dyn Write) -> std::io::Result<bool> {
        let mut sum = Compared::default();
        let mut shards: Vec<_> = self.shards.drain().collect();
        shards.sort_unstable_by_key(|(shard, _)| *shard);
        for (shard, Compared { named, missing, stale }) in shards {
            sum = Compared { named: sum.named + named, missing: sum.missing + missing, stale: sum.stale + stale };
            if missing + stale > 0 {
                writeln!(
                    output,
                    "shard {:>3}: {named} flows named, {missing} missing, {stale} stale",
                    shard.get()
                )?;
            }
        }
        let Compared { named, missing, stale } = sum;
        writeln!(output, "sweep {}: {named} flows named, {missing} missing, {stale} stale", self.sweeps)?;
        Ok(missing == 0)
    }
}

pub fn run(
    transport: &NatsTransport,
    sweeps: u64,
    limit: Duration,
    output: &mut dyn Write,
) -> Result<bool, Failure> {
    let (mut source, mut mirror, start) = (transport.source(), Mirror::default(), Instant::now());
    let mut right = Ok(false);
    while mirror.sweeps < sweeps && right.is_ok() {
        if start.elapsed() >= limit {
            writeln!(output, "no {sweeps} sweeps were complete within {limit:?}")?;
            return Ok(false);
        }
        let mut deliver = |bytes: &[u8]| {
            if mirror.batch(bytes) && mirror.sweeps <= sweeps {
                right = mirror.show(output);
            }
        };
        source.receive(Duration::from_secs(1), 1, &mut deliver, &mut |_| ());
    }
    Ok(right?)
}
