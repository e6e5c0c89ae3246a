//! The plots of the report.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flow_table_benches::{Candidate, Role, Workload};

use crate::bench::plot::{Bars, Lines, Scale, Series, Stroke, Unit};
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
        "Look-up one by one over table size",
        "`lookup_hit`: find a flow, refresh it, let its handle go; one thread.",
        &|path, title| over_size(record, one_by_one(record), title).draw(path),
    )?;
    add(
        "lookup_batch.svg",
        "Look-up in batches of 32 over table size",
        "`lookup_hit_batch`, with handles, and `borrow_hit_batch`, without; one thread.",
        &|path, title| over_size(record, in_batches(record), title).draw(path),
    )?;
    add("miss.svg", "Look-up miss over table size", "A packet of no known flow; one thread.", &|path, title| {
        over_size(record, tables(record, Workload::LookupMiss), title).draw(path)
    })?;
    add(
        "churn.svg",
        "Churn over table size",
        "Expire one flow, insert one; one thread. Peers are told what is due and remove it by its key.",
        &|path, title| over_size(record, tables(record, Workload::Churn), title).draw(path),
    )?;
    add(
        "grow.svg",
        "Insertion latency while growing",
        "From empty to the largest size: one insertion in so many took longer than the time at the left. The last \
         point is the worst of all.",
        &|path, title| growing(record, title).draw(path),
    )?;
    add(
        "bytes.svg",
        "Bytes per flow",
        "Resident memory of a process that holds the table; a flow's own key, value and deadline are 112 bytes of \
         it.",
        &|path, title| bytes(record, title).draw(path),
    )?;
    for (name, title, workload) in [
        ("threads.svg", "Thread scaling: packet mix", Workload::PacketMix),
        ("threads_lookup.svg", "Thread scaling: look-ups in batches of 32", Workload::LookupHitBatch),
    ] {
        let remark = "All threads together, at the size nearest to a million flows.";
        add(name, title, remark, &|path, title| scaling(record, workload, title).draw(path))?;
    }
    Ok(plots)
}

fn over_size<'t>(record: &Record, series: Vec<Series>, title: &'t str) -> Lines<'t> {
    let sizes = record.sizes().into_iter().map(|flows| flows as f64).collect();
    Lines { title, x: ("flows in the table", Scale::Count(sizes)), y: ("time per operation", Unit::Nanos), series }
}

/// The medians of one candidate over the table size, with one thread.
fn medians(record: &Record, workload: Workload, candidate: Candidate) -> Vec<(f64, f64)> {
    let point = |flows| Some((flows as f64, record.median(workload, candidate, flows, 1)?));
    record.sizes().into_iter().filter_map(point).collect()
}

/// A line of a candidate's medians for each candidate with `role` that can run `workload`.
fn series(record: &Record, workload: Workload, role: Role, way: &'static str, stroke: Stroke) -> Vec<Series> {
    let candidates = record.candidates(workload).filter(|candidate| candidate.role() == role);
    let series = |candidate| Series { candidate, way, stroke, points: medians(record, workload, candidate) };
    candidates.map(series).collect()
}

fn tables(record: &Record, workload: Workload) -> Vec<Series> {
    [Role::Backend, Role::Peer]
        .into_iter()
        .flat_map(|role| series(record, workload, role, "", Stroke::Solid))
        .collect()
}

fn floors(record: &Record, workload: Workload, floors: [Candidate; 2]) -> impl Iterator<Item = Series> {
    let all = series(record, workload, Role::Floor, "", Stroke::Dotted);
    all.into_iter().filter(move |series| floors.contains(&series.candidate))
}

fn one_by_one(record: &Record) -> Vec<Series> {
    let workload = Workload::LookupHit;
    let bounds = floors(record, workload, [Candidate::FloorCounted, Candidate::FloorSerialCounted]);
    tables(record, workload).into_iter().chain(bounds).collect()
}

fn in_batches(record: &Record) -> Vec<Series> {
    let (handles, borrowed) = (Workload::LookupHitBatch, Workload::BorrowHitBatch);
    let mut all = series(record, handles, Role::Backend, "", Stroke::Solid);
    all.extend(series(record, borrowed, Role::Backend, ", borrowed", Stroke::Dashed));
    all.extend(series(record, borrowed, Role::Peer, ", borrowed", Stroke::Dashed));
    all.extend(floors(record, borrowed, [Candidate::Floor, Candidate::FloorCounted]));
    all
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
    Lines {
        title,
        x: ("one insertion in so many is slower", Scale::Decades),
        y: ("time of an insertion", Unit::Nanos),
        series,
    }
}

fn bytes<'t>(record: &Record, title: &'t str) -> Bars<'t> {
    let groups = record.sizes().into_iter().map(|flows| {
        let bar = |candidate| Some((candidate, record.row(Workload::Grow, candidate, flows, 1)?.bytes_per_flow?));
        (format!("{} flows", size::flows(flows)), record.candidates(Workload::Grow).filter_map(bar).collect())
    });
    Bars { title, y: "bytes per flow", groups: groups.collect() }
}

fn scaling<'t>(record: &Record, workload: Workload, title: &'t str) -> Lines<'t> {
    let sizes = record.sizes();
    let flows = sizes.iter().min_by_key(|flows| flows.abs_diff(1 << 20)).copied().unwrap_or(0);
    let threads = record.threads();
    let shown = |candidate: &Candidate| candidate.role() != Role::Floor || *candidate == Candidate::FloorCounted;
    let series = record.candidates(workload).filter(shown).map(|candidate| {
        let point =
            |&threads: &usize| Some((threads as f64, 1e9 / record.median(workload, candidate, flows, threads)?));
        let stroke = if candidate.role() == Role::Floor { Stroke::Dotted } else { Stroke::Solid };
        Series { candidate, way: "", stroke, points: threads.iter().filter_map(point).collect() }
    });
    let series = series.collect();
    let ticks = threads.iter().map(|threads| *threads as f64).collect();
    Lines { title, x: ("threads", Scale::Count(ticks)), y: ("packets per second", Unit::Number), series }
}
