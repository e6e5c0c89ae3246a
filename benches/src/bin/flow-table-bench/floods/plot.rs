//! The plot: bytes over floods.

use std::path::Path;

use anyhow::Result;
use flow_table_benches::Candidate;
use plotters::prelude::*;

use super::flooded::Flooded;
use super::measure::{Moment, Row};
use crate::bench::plot::{Area, FONT, LEGEND, Stroke, WIDTH, color, legend, svg};

const MIB: f64 = (1 << 20) as f64;

/// Draws what the process has, and what the table says, into a file.
pub(super) fn draw(flooded: &[Flooded], title: &str, path: &Path) -> Result<()> {
    svg(path, |root| draw_into(flooded, title, root))
}

/// One line.
struct Line {
    candidate: Candidate,
    name: String,
    stroke: Stroke,
    points: Vec<(f64, f64)>,
}

fn draw_into(flooded: &[Flooded], title: &str, root: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let lines: Vec<Line> = flooded.iter().flat_map(lines).collect();
    let points = || lines.iter().flat_map(|line| &line.points);
    let most = |values: &mut dyn Iterator<Item = f64>| values.fold(1.0, f64::max);
    let (floods, highest) = (most(&mut points().map(|point| point.0)), most(&mut points().map(|point| point.1)));

    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(WIDTH - LEGEND);
    let mut chart = ChartBuilder::on(&left)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..floods, 0.0..highest * 1.05)?;
    chart
        .configure_mesh()
        .x_desc("floods: at its height and, at the number, when all of it has been reaped")
        .y_desc("MiB")
        .label_style(FONT)
        .x_label_formatter(&|value| format!("{value}"))
        .y_label_formatter(&|value| format!("{value}"))
        .light_line_style(WHITE)
        .draw()?;
    for line in &lines {
        let (points, style) = (line.points.iter().copied(), color(line.candidate).stroke_width(2));
        match line.stroke {
            Stroke::Solid => chart.draw_series(LineSeries::new(points, style))?,
            Stroke::Dashed => chart.draw_series(DashedLineSeries::new(points, 8, 4, style))?,
            Stroke::Dotted => chart.draw_series(DashedLineSeries::new(points, 2, 4, style))?,
        };
    }
    legend(&right, lines.into_iter().map(|line| (line.candidate, line.name, line.stroke)))
}

/// What the process has, where that is known, and what the table says.
fn lines(Flooded { backend, rows, .. }: &Flooded) -> [Line; 2] {
    let candidate = backend.candidate();
    let line = |what: &str, stroke, bytes: fn(&Row) -> Option<u64>| Line {
        candidate,
        name: format!("{backend}, {what}"),
        stroke,
        points: rows.iter().filter_map(|row| Some((place(row), bytes(row)? as f64 / MIB))).collect(),
    };
    [
        line("resident", Stroke::Solid, |row| row.resident_bytes),
        line("the table's account", Stroke::Dotted, |row| Some(row.table_bytes)),
    ]
}

fn place(row: &Row) -> f64 {
    match row.moment {
        Moment::Before | Moment::Reaped => row.flood as f64,
        Moment::Full => row.flood as f64 - 0.5,
    }
}
