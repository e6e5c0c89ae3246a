use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::show;
use crate::cluster::{NodeId, Registry as _, ShardMap};
use crate::record::{Batch, Kind};
use crate::transport::Source as _;
use crate::transport::nats::NatsTransport;
use crate::{ShardId, ShardSet};

/// What one process has written.
#[derive(Default)]
struct Written {
    batches: u64,
    records: u64,
    sweep: u64,
}

pub fn run(transport: &NatsTransport, counted: Duration, output: &mut dyn Write) -> Result<bool, Failure> {
    let unreadable = |error: String| Failure::Unreadable(error);
    let (_, map) = transport
        .registry()
        .read(counted.max(Duration::from_secs(5)))
        .map_err(|error| unreadable(error.to_string()))?;
    owners(&map, output)?;
    let log = transport.log().map_err(unreadable)?;
    writeln!(output, "log: {} batches, {} bytes, from {} to {}", log.batches, log.bytes, log.first, log.last)?;
    for (reader, behind) in &log.readers {
        writeln!(output, "reader {reader}: {behind} batches behind")?;
    }
    let mut source = transport.source_of_new();
    let (start, mut written, mut unknown) = (Instant::now(), BTreeMap::<u64, Written>::new(), 0_u64);
    while start.elapsed() < counted {
        let mut deliver = |bytes: &[u8]| match Batch::parse(bytes) {
            Ok(batch) => {
                let origin = written.entry(batch.header.origin).or_default();
                origin.batches += 1;
                origin.records += u64::from(batch.header.records);
                if batch.header.kind == Kind::SweepEnd {
                    origin.sweep = batch.header.sweep;
                }
            }
            Err(_) => unknown += 1,
        };
        source.receive(counted.saturating_sub(start.elapsed()), 64, &mut deliver, &mut |_| ());
    }
    let seconds = counted.as_secs_f64().max(1e-9);
    for (origin, Written { batches, records, sweep }) in &written {
        let (batches, records) = (*batches as f64 / seconds, *records as f64 / seconds);
        write!(output, "origin {origin:016x}: {batches:.0} batches/s, {records:.0} records/s")?;
        match sweep {
            0 => writeln!(output)?,
            sweep => writeln!(output, ", sweep {sweep} is over")?,
        }
    }
    if unknown > 0 {
        writeln!(output, "unreadable: {unknown} batches")?;
    }
    if written.is_empty() {
        writeln!(output, "nothing was written for {counted:?}: no owner is alive, or none reaches the log")?;
    }
    Ok(!written.is_empty() && unknown == 0)
}

fn owners(map: &ShardMap, output: &mut dyn Write) -> std::io::Result<()> {
    let mut owners = BTreeMap::<(NodeId, u32), ShardSet>::new();
    let mut free = ShardSet::EMPTY;
    for shard in ShardId::all() {
        match map.owner(shard) {
            Some(owner) => owners.entry((owner.node, owner.epoch)).or_default().insert(shard),
            None => free.insert(shard),
        }
    }
    for ((node, epoch), set) in owners {
        writeln!(output, "node {} owns {} shards in epoch {epoch}: {}", node.0, set.len(), show::shards(set))?;
    }
    if !free.is_empty() {
        writeln!(output, "nobody owns {} shards: {}", free.len(), show::shards(free))?;
    }
    Ok(())
}
