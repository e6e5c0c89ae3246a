//! Charts as SVG files.

use std::ops::Range;
use std::path::Path;

use anyhow::{Result, anyhow};
use flow_table_benches::Candidate;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::size;

pub(crate) const WIDTH: u32 = 960;
const HEIGHT: u32 = 520;
pub(crate) const LEGEND: u32 = 230;
pub(crate) const FONT: (&str, i32) = ("sans-serif", 14);

pub(crate) type Area<'p> = DrawingArea<SVGBackend<'p>, Shift>;

/// Lines on logarithmic axes.
pub(crate) struct Lines<'t> {
    pub(crate) title: &'t str,
    pub(crate) x: (&'t str, Scale),
    pub(crate) y: (&'t str, Unit),
    pub(crate) series: Vec<Series>,
}

/// The labels of the horizontal axis.
pub(crate) enum Scale {
    /// These numbers.
    Count(Vec<f64>),
    /// Powers of ten.
    Decades,
}

/// What the vertical axis counts.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Number,
    Nanos,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Number => short(value),
            Self::Nanos => nanos(value),
        }
    }
}

/// One line.
pub(crate) struct Series {
    pub(crate) candidate: Candidate,
    /// What distinguishes it from other lines of the same candidate.
    pub(crate) way: &'static str,
    pub(crate) stroke: Stroke,
    pub(crate) points: Vec<(f64, f64)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stroke {
    Solid,
    Dashed,
    Dotted,
}

/// Groups of bars.
pub(crate) struct Bars<'t> {
    pub(crate) title: &'t str,
    pub(crate) y: &'t str,
    pub(crate) groups: Vec<(String, Vec<(Candidate, f64)>)>,
}

impl Lines<'_> {
    /// Draws into a file. Without a point, only the title.
    pub(crate) fn draw(&self, path: &Path) -> Result<()> {
        svg(path, |root| self.draw_into(root))
    }

    fn draw_into(&self, root: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
        root.fill(&WHITE)?;
        let (left, right) = root.split_horizontally(WIDTH - LEGEND);
        let points = || self.series.iter().flat_map(|series| &series.points);
        let Some((x, y)) = range(points().map(|point| point.0)).zip(range(points().map(|point| point.1))) else {
            left.titled(self.title, FONT)?;
            return Ok(());
        };
        let ticks = match &self.x.1 {
            Scale::Count(ticks) => ticks.clone(),
            Scale::Decades => {
                (0..12).map(|power| 10f64.powi(power)).filter(|tick| (x.0..=x.1).contains(tick)).collect()
            }
        };
        let x = (x.0 * 0.9..x.1 * 1.1).log_scale().with_key_points(ticks);
        let y = y.0 * 0.8..y.1 * 1.25;
        let (name, unit) = self.y;
        let mut chart = ChartBuilder::on(&left)
            .caption(self.title, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(x, y.clone().log_scale().with_key_points(round(y)))?;
        chart
            .configure_mesh()
            .x_desc(self.x.0)
            .y_desc(name)
            .label_style(FONT)
            .x_label_formatter(&|value| match self.x.1 {
                Scale::Count(_) => size::flows(*value as usize),
                Scale::Decades => short(*value),
            })
            .y_label_formatter(&|value| unit.show(*value))
            .light_line_style(WHITE)
            .draw()?;
        for series in &self.series {
            let (line, style) = (series.points.iter().copied(), color(series.candidate).stroke_width(2));
            match series.stroke {
                Stroke::Solid => chart.draw_series(LineSeries::new(line, style))?,
                Stroke::Dashed => chart.draw_series(DashedLineSeries::new(line, 8, 4, style))?,
                Stroke::Dotted => chart.draw_series(DashedLineSeries::new(line, 2, 4, style))?,
            };
            let dot = |point: &(f64, f64)| Circle::new(*point, 3, color(series.candidate).filled());
            chart.draw_series(series.points.iter().map(dot))?;
        }
        let entry =
            |series: &Series| (series.candidate, format!("{}{}", series.candidate, series.way), series.stroke);
        legend(&right, self.series.iter().map(entry))
    }
}

impl Bars<'_> {
    /// Draws into a file. Without a bar, only the title.
    pub(crate) fn draw(&self, path: &Path) -> Result<()> {
        svg(path, |root| self.draw_into(root))
    }

    fn draw_into(&self, root: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
        root.fill(&WHITE)?;
        let (left, right) = root.split_horizontally(WIDTH - LEGEND);
        let bars = || self.groups.iter().flat_map(|(_, bars)| bars);
        let Some((_, highest)) = range(bars().map(|bar| bar.1)) else {
            left.titled(self.title, FONT)?;
            return Ok(());
        };
        // A group is as wide as 1; its bars fill four fifths of that.
        let mut chart = ChartBuilder::on(&left)
            .caption(self.title, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(-0.5..self.groups.len() as f64 - 0.5, 0.0..highest * 1.1)?;
        let name = |place: &f64| {
            let group = self.groups.get(place.round() as usize).filter(|_| place.fract().abs() < 0.01);
            group.map_or_else(String::new, |(name, _)| name.clone())
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(2 * self.groups.len() + 1)
            .x_label_formatter(&name)
            .y_label_formatter(&|value| short(*value))
            .y_desc(self.y)
            .label_style(FONT)
            .light_line_style(WHITE)
            .draw()?;
        for (group, (_, bars)) in self.groups.iter().enumerate() {
            let width = 0.8 / bars.len() as f64;
            chart.draw_series(bars.iter().enumerate().map(|(place, (candidate, height))| {
                let start = group as f64 - 0.4 + place as f64 * width;
                Rectangle::new([(start, 0.0), (start + width * 0.9, *height)], color(*candidate).filled())
            }))?;
        }
        let mut candidates: Vec<Candidate> = bars().map(|bar| bar.0).collect();
        candidates.sort();
        candidates.dedup();
        legend(&right, candidates.into_iter().map(|candidate| (candidate, candidate.to_string(), Stroke::Solid)))
    }
}

/// Draws into a file.
pub(crate) fn svg(
    path: &Path,
    draw: impl FnOnce(&Area<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<()> {
    let root = SVGBackend::new(path, (WIDTH, HEIGHT)).into_drawing_area();
    draw(&root).and_then(|()| root.present().map_err(Into::into)).map_err(|error| anyhow!("{error}"))
}

pub(crate) fn legend(
    area: &Area<'_>,
    entries: impl Iterator<Item = (Candidate, String, Stroke)>,
) -> Result<(), Box<dyn std::error::Error>> {
    for (place, (candidate, name, stroke)) in entries.enumerate() {
        let y = 56 + 24 * place as i32;
        let (dash, gap) = match stroke {
            Stroke::Solid => (28, 1),
            Stroke::Dashed => (8, 4),
            Stroke::Dotted => (2, 4),
        };
        for start in (0..28).step_by((dash + gap) as usize) {
            let line = vec![(start, y), ((start + dash).min(28), y)];
            area.draw(&PathElement::new(line, color(candidate).stroke_width(3)))?;
        }
        area.draw(&Text::new(name, (36, y - 7), FONT))?;
    }
    Ok(())
}

/// The smallest and the largest value, if there is one.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range: Option<(f64, f64)>, value| {
        Some(range.map_or((value, value), |(least, most)| (least.min(value), most.max(value))))
    })
}

/// The powers of ten in `range`, and, if those are few, also twice and five times as much.
fn round(range: Range<f64>) -> Vec<f64> {
    let steps: &[f64] = if range.end / range.start < 1e4 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let all = (0..12).flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)));
    all.filter(|value| range.contains(value)).collect()
}

fn nanos(value: f64) -> String {
    match value {
        1e9.. => format!("{} s", value / 1e9),
        1e6.. => format!("{} ms", value / 1e6),
        1e3.. => format!("{} µs", value / 1e3),
        _ => format!("{value} ns"),
    }
}

/// A number in few characters.
fn short(value: f64) -> String {
    match value {
        1e9.. => format!("{} G", value / 1e9),
        1e6.. => format!("{} M", (value / 1e6 * 10.0).round() / 10.0),
        1e3.. => format!("{} k", (value / 1e3 * 10.0).round() / 10.0),
        _ => format!("{value}"),
    }
}

/// Colours that can be distinguished without distinguishing red from green.
pub(crate) const fn color(candidate: Candidate) -> RGBColor {
    match candidate {
        Candidate::Dashmap => RGBColor(0, 114, 178),
        Candidate::Custom => RGBColor(213, 94, 0),
        Candidate::CustomPrefaulted => RGBColor(230, 150, 60),
        Candidate::Papaya => RGBColor(0, 158, 115),
        Candidate::Scc => RGBColor(204, 121, 167),
        Candidate::Moka => RGBColor(225, 190, 40),
        Candidate::QuickCache => RGBColor(86, 180, 233),
        Candidate::RwlockHashbrown => RGBColor(130, 94, 60),
        Candidate::RteHash => RGBColor(90, 60, 140),
        Candidate::Lfht => RGBColor(20, 70, 60),
        Candidate::Floor | Candidate::FloorSmallPages => RGBColor(175, 175, 175),
        Candidate::FloorCounted | Candidate::FloorCountedSmallPages => RGBColor(130, 130, 130),
        Candidate::FloorSerial => RGBColor(85, 85, 85),
        Candidate::FloorSerialCounted => RGBColor(40, 40, 40),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(round(15.0..120.0), [20.0, 50.0, 100.0]);
        assert_eq!(round(15.0..1e6), [1e2, 1e3, 1e4, 1e5]);
        assert_eq!([5.0, 2e4, 1e8].map(nanos), ["5 ns", "20 µs", "100 ms"]);
        assert_eq!([5.0, 2e4, 1e8].map(short), ["5", "20 k", "100 M"]);
    }
}
