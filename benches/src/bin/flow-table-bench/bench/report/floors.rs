//! Compares look-ups with what the hardware allows.

use std::fmt::{self, Write};

use flow_table_benches::Candidate::{self, Custom, Dashmap, Floor, FloorCounted, FloorSerial, FloorSerialCounted};
use flow_table_benches::Workload;

use crate::bench::record::Record;
use crate::bench::size;

/// Look-ups, and the floors of each: overlapped, and serial if they are made one by one.
const LOOK_UPS: [(Workload, Candidate, Option<Candidate>); 5] = [
    (Workload::LookupHit, FloorCounted, Some(FloorSerialCounted)),
    (Workload::LookupZipf, FloorCounted, Some(FloorSerialCounted)),
    (Workload::BorrowHit, Floor, Some(FloorSerial)),
    (Workload::LookupHitBatch, FloorCounted, None),
    (Workload::BorrowHitBatch, Floor, None),
];

pub(super) fn write(text: &mut String, record: &Record) -> fmt::Result {
    text.push_str(EXPLANATION);
    for (workload, overlapped, serial) in LOOK_UPS {
        for flows in record.sizes() {
            let Some(ns) = record.median(workload, Custom, flows, 1) else { continue };
            let floor = |floor| record.median(workload, floor, flows, 1);
            let by = |own, other| record.ratio(workload, [own, other], flows, 1).map(|ratio| ratio.median);
            write!(text, "| `{workload}` | {} | {ns:.1} |", size::flows(flows))?;
            for nanos in [floor(overlapped), serial.and_then(floor)] {
                write!(text, " {} |", show(nanos, ""))?;
            }
            for ratio in [
                by(Custom, overlapped),
                serial.and_then(|serial| by(Custom, serial)),
                by(Dashmap, overlapped),
                serial.and_then(|serial| by(Dashmap, serial)),
            ] {
                write!(text, " {} |", show(ratio, "×"))?;
            }
            text.push('\n');
        }
    }
    Ok(())
}

fn show(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(String::new, |value| format!("{value:.1}{unit}"))
}

const EXPLANATION: &str = "\
What a look-up that hits can cost at least, one thread, in ns. In `floor` and `floor_counted` neighbouring look-ups
overlap as far as the processor can, which is what batches aim at. In `floor_serial` and `floor_serial_counted` the
address of each look-up depends on what the one before has read: two memory latencies, one after the other. That is
what a look-up can reach whose packet is handled to the end before the next one's key is known.

Look-ups one by one in a loop, as `lookup_hit`, lie between the two. Their keys are known in advance, so the
processor may begin the next look-up while it waits for memory, until something holds it up: a locked instruction
(a reference counted, a deadline moved), which waits for everything before it, or a branch whose direction depends
on what is still to be read. In a program that does more for each packet than look it up, they overlap less than
here.

The last two columns tell what is to be gained at all: so many times as fast as `dashmap` is the floor, with
overlap and without.

| | flows | `custom` | floor | serial floor | `custom` by floor | by serial floor | \
`dashmap` by floor | by serial floor |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
";
