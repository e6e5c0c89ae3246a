use std::io::Write;
use std::time::Duration;

use super::failure::Failure;
use super::show;
use crate::record::{Batch, Kind};
use crate::transport::Source as _;
use crate::transport::nats::NatsTransport;

/// Shows `records` records.
pub fn run(transport: &NatsTransport, records: u64, output: &mut dyn Write) -> Result<bool, Failure> {
    let (mut source, mut left, mut result) = (transport.source(), records, Ok(()));
    while left > 0 && result.is_ok() {
        let mut deliver = |bytes: &[u8]| {
            if left > 0 && result.is_ok() {
                result = batch(bytes, &mut left, output);
            }
        };
        source.receive(Duration::from_secs(1), 1, &mut deliver, &mut |_| ());
    }
    match result {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(true),
        result => Ok(result.map(|()| true)?),
    }
}

fn batch(bytes: &[u8], left: &mut u64, output: &mut dyn Write) -> std::io::Result<()> {
    let batch = match Batch::parse(bytes) {
        Ok(batch) => batch,
        Err(error) => return writeln!(output, "unreadable: {error}"),
    };
    let header = batch.header;
    let origin = format!("{:016x}", header.origin);
    match header.kind {
        Kind::SweepBegin => writeln!(output, "{origin} sweep {} begins", header.sweep)?,
        Kind::SweepEnd => writeln!(output, "{origin} sweep {} ends, {} batches", header.sweep, header.index)?,
        Kind::Claim => {
            writeln!(output, "{origin} claims {}", show::shards(batch.marks().map(|mark| mark.shard).collect()))?
        }
        Kind::Live | Kind::Sweep | Kind::Heartbeat => {}
    }
    for record in batch.records() {
        match record {
            Ok(record) => writeln!(output, "{origin} {}", show::record(&record))?,
            Err(error) => writeln!(output, "{origin} unreadable: {error}")?,
        }
        *left = left.saturating_sub(1);
        if *left == 0 {
            break;
        }
    }
    Ok(())
}
