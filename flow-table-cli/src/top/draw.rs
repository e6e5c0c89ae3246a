use indicatif::{HumanBytes, HumanCount};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row as TableRow, Sparkline, Table};

use super::model::{Model, Row, Sort};

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, model: &mut Model) {
    let [head, rates, list, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(4),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(headline(model)), head);
    sparkline(frame, model, rates);
    flows(frame, model, list);
    frame.render_widget(Paragraph::new(key_line(model)), keys);
}

fn headline(model: &Model) -> Line<'static> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let Some(snapshot) = &model.latest.snapshot else { return Line::from("waiting for packets") };
    let mut parts = vec![
        Span::styled(snapshot.source.clone(), bold),
        Span::raw(format!(
            "  {} packets, {}  {} live flows, {} ended",
            HumanCount(snapshot.packets),
            HumanBytes(snapshot.bytes),
            HumanCount(snapshot.live as u64),
            HumanCount(snapshot.ended),
        )),
    ];
    if snapshot.dropped > 0 {
        let text = format!("  {} dropped", HumanCount(snapshot.dropped));
        parts.push(Span::styled(text, Style::new().fg(Color::Red)));
    }
    let end = match (&model.latest.error, model.latest.is_over, model.is_paused) {
        (Some(error), ..) => format!("  {error}"),
        (None, true, _) => "  the capture is over: its largest flows".to_owned(),
        (None, false, true) => "  paused".to_owned(),
        _ => String::new(),
    };
    parts.push(Span::styled(end, Style::new().fg(Color::Yellow)));
    Line::from(parts)
}

fn sparkline(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let [label, chart] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let latest = model.samples.back().copied().unwrap_or(0);
    let most = model.samples.iter().copied().max().unwrap_or(0);
    let text = format!(
        "{} packets/s (at most {}), {}/s",
        HumanCount(latest),
        HumanCount(most),
        HumanBytes(model.byte_rate as u64)
    );
    frame.render_widget(Paragraph::new(text), label);
    let width = usize::from(chart.width);
    let skip = model.samples.len().saturating_sub(width);
    let samples: Vec<u64> = model.samples.iter().skip(skip).copied().collect();
    frame.render_widget(Sparkline::default().data(samples).style(Style::new().fg(Color::Cyan)), chart);
}

fn flows(frame: &mut Frame<'_>, model: &mut Model, area: Rect) {
    let rows = model.shown();
    let height = usize::from(area.height).saturating_sub(1);
    let offset = model.offset.min(rows.len().saturating_sub(height));
    let wide = area.width >= 100;
    let lines: Vec<TableRow<'_>> = rows.iter().skip(offset).take(height).map(|row| line(row, wide)).collect();
    let mut names = vec!["proto", "source", "destination", "bytes/s", "packets/s", "bytes", "packets"];
    let mut widths = vec![
        Constraint::Length(7),
        Constraint::Fill(2),
        Constraint::Fill(2),
        Constraint::Length(11),
        Constraint::Length(10),
        Constraint::Length(11),
        Constraint::Length(9),
    ];
    if wide {
        names.extend(["seconds", "state"]);
        widths.extend([Constraint::Length(9), Constraint::Length(13)]);
    }
    let sorted = Sort::ALL.iter().find(|(_, sort, _)| *sort == model.sort).map_or("", |(.., name)| name);
    let title = |name: &str| if name == sorted { format!("{name}▾") } else { name.to_owned() };
    let header = TableRow::new(names.iter().map(|name| title(name)));
    let header = header.style(Style::new().add_modifier(Modifier::REVERSED));
    frame.render_widget(Table::new(lines, widths).header(header), area);
    model.offset = offset;
}

fn line(row: &Row, wide: bool) -> TableRow<'static> {
    let mut cells = vec![
        row.protocol.clone(),
        row.source.clone(),
        row.destination.clone(),
        HumanBytes(row.byte_rate as u64).to_string(),
        HumanCount(row.packet_rate as u64).to_string(),
        HumanBytes(row.bytes).to_string(),
        HumanCount(row.packets).to_string(),
    ];
    if wide {
        cells.extend([format!("{:.1}", row.seconds), row.state.clone()]);
    }
    TableRow::new(cells)
}

fn key_line(model: &Model) -> String {
    if model.is_typing {
        return format!("filter: {}▏ (Enter keeps it, Esc removes it)", model.filter);
    }
    let sorts: Vec<_> = Sort::ALL.iter().map(|(key, _, name)| format!("{key} {name}")).collect();
    let filter = if model.filter.is_empty() { "filter".to_owned() } else { format!("filter: {}", model.filter) };
    format!("q quit  / {filter}  space pause  sort by: {}", sorts.join(", "))
}
