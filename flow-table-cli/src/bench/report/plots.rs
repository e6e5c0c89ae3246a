//! The plots of the report.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flow_table_benches::{Candidate, Role, Workload};

use crate::bench::plot::{Bars, Lines, Scale, Series, Stroke};
use crate::bench::record::Record;
use crate::bench::size;

/// A plot in a file.
pub(super) struct Plot {
    pub(super) title: &'static str,
    pub(super) remark: &'static str,
    pub(super) path: PathBuf,
}

/// Draws all plots into `directory`.
pub(super) fn draw(record: &Record, directory: &Path) -> Result<Vec<Plot>> {
    fs::create_dir_all(directory).with_context(|| format!("{}: cannot make it", directory.display()))?;
    let mut plots = Vec::new();
    let mut add = |name: &str, title, remark, draw: &dyn Fn(&Path, &str) -> Result<()>| -> Result<()> {
        let path = directory.join(name);
        draw(&path, title).with_context(|| format!("{}: cannot draw it", path.display()))?;
        plots.push(Plot { title, remark, path });
        Ok(())
    };
    add(
        "lookup.svg",
        "Look-up cost over table size",
        "A packet of a known flow: look it up, refresh it, let it go; one thread. Backends in three of their \
         ways: \
         one by one, in batches of 32, and borrowed in batches of 32.",
        &|path, title| over_size(record, lookup_series(record), title).draw(path),
    )?;
    add("miss.svg", "Look-up miss over table size", "A packet of no known flow; one thread.", &|path, title| {
        over_size(record, by_candidate(record, Workload::LookupMiss), title).draw(path)
    })?;
    add(
        "churn.svg",
        "Churn over table size",
        "Expire one flow, insert one; one thread. Peers are told what is due and remove it by its key.",
        &|path, title| over_size(record, by_candidate(record, Workload::Churn), title).draw(path),
    )?;
    add(
        "grow.svg",
        "Insertion latency while growing",
        "From empty to the largest size: the share of insertions that took longer than the time at the left.",
        &|path, title| growing(record, title).draw(path),
    )?;
    add(
        "bytes.svg",
        "Bytes per flow",
        "Resident memory of a process that holds the table, 104 bytes of it \
         key and value.",
        &|path, title| bytes(record, title).draw(path),
    )?;
    add(
        "threads.svg",
        "Thread scaling",
        "Packets per second of all threads together, in `packet_mix` and `lookup_hit_batch`, at the size nearest \
         to a million flows.",
        &|path, title| scaling(record, title).draw(path),
    )?;
    Ok(plots)
}

fn over_size<'t>(record: &Record, series: Vec<Series>, title: &'t str) -> Lines<'t> {
    let sizes = record.sizes().into_iter().map(|flows| flows as f64).collect();
    Lines { title, x: ("flows in the table", Scale::Count(sizes)), y: "ns per operation", series }
}

/// The medians of one candidate over the table size, with one thread.
fn medians(record: &Record, workload: Workload, candidate: Candidate) -> Vec<(f64, f64)> {
    let point = |flows| Some((flows as f64, record.median(workload, candidate, flows, 1)?));
    record.sizes().into_iter().filter_map(point).collect()
}

fn by_candidate(record: &Record, workload: Workload) -> Vec<Series> {
    let series = |candidate: Candidate| Series {
        candidate,
        way: "",
        stroke: if candidate.role() == Role::Floor { Stroke::Dotted } else { Stroke::Solid },
        points: medians(record, workload, candidate),
    };
    record.candidates(workload).map(series).collect()
}

fn lookup_series(record: &Record) -> Vec<Series> {
    let mut series = by_candidate(record, Workload::LookupHit);
    for (workload, way, stroke) in [
        (Workload::LookupHitBatch, ", batch", Stroke::Dashed),
        (Workload::BorrowHitBatch, ", borrowed batch", Stroke::Dotted),
    ] {
        for candidate in record.candidates(workload).filter(|candidate| candidate.role() == Role::Backend) {
            series.push(Series { candidate, way, stroke, points: medians(record, workload, candidate) });
        }
    }
    series
}

fn growing<'t>(record: &Record, title: &'t str) -> Lines<'t> {
    let largest = record.sizes().pop().unwrap_or(0);
    let series = |candidate| {
        let row = record.row(Workload::Grow, candidate, largest, 1)?;
        let rarest = 1.0 / largest as f64;
        let point = |(share, nanos): &(f64, u64)| (1.0 / (1.0 - share).max(rarest), *nanos as f64);
        let points = row.distribution.iter().map(point).collect();
        Some(Series { candidate, way: "", stroke: Stroke::Solid, points })
    };
    let series = record.candidates(Workload::Grow).filter_map(series).collect();
    Lines { title, x: ("one insertion in so many is slower", Scale::Decades), y: "ns", series }
}

fn bytes<'t>(record: &Record, title: &'t str) -> Bars<'t> {
    let groups = record.sizes().into_iter().map(|flows| {
        let bar = |candidate| Some((candidate, record.row(Workload::Grow, candidate, flows, 1)?.bytes_per_flow?));
        (format!("{} flows", size::flows(flows)), record.candidates(Workload::Grow).filter_map(bar).collect())
    });
    Bars { title, y: "bytes per flow", groups: groups.collect() }
}

fn scaling<'t>(record: &Record, title: &'t str) -> Lines<'t> {
    let sizes = record.sizes();
    let flows = sizes.iter().min_by_key(|flows| flows.abs_diff(1 << 20)).copied().unwrap_or(0);
    let threads = record.threads();
    let mut series = Vec::new();
    for (workload, way, stroke) in
        [(Workload::PacketMix, ", mix", Stroke::Solid), (Workload::LookupHitBatch, ", look-ups", Stroke::Dashed)]
    {
        for candidate in record.candidates(workload).filter(|candidate| candidate.role() != Role::Floor) {
            let point = |&threads: &usize| {
                Some((threads as f64, 1e9 / record.median(workload, candidate, flows, threads)?))
            };
            series.push(Series { candidate, way, stroke, points: threads.iter().filter_map(point).collect() });
        }
    }
    let ticks = threads.iter().map(|threads| *threads as f64).collect();
    Lines { title, x: ("threads", Scale::Count(ticks)), y: "packets per second", series }
}
