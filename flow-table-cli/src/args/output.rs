use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::flows::{FlowArgs, record_filter};
use crate::filter::Filter;
use crate::idle::duration;
use crate::log::LogFormat;
use crate::output::export::Format;
use crate::output::records::{Plan, Rotation};
use crate::output::target::Target;
use crate::record::Orientation;
use crate::report::html;
use crate::report::screen::Color;
use crate::stats::{Field, Rank};
use crate::summary::View;

/// What is written about flows, for every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Write the flows of all captures to this file, as they end; `-` is standard output, and the summary then
    /// goes to standard error. `udp://HOST:PORT` and `tcp://HOST:PORT` are collectors of IPFIX, or over UDP of
    /// NetFlow 9.
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// The format of the exported flows; without it, by the file's extension, else `tsv`.
    #[arg(long, value_enum, requires = "export")]
    pub format: Option<Format>,
    /// Begin another file at multiples of this span of packet time. Files are numbered.
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "export")]
    pub rotate_time: Option<Duration>,
    /// Begin another file after this many bytes. Files are numbered.
    #[arg(long, value_name = "BYTES", requires = "export")]
    pub rotate_size: Option<u64>,
    /// Only records for which this holds: as for `--filter`, and `packets`, `bytes` and `duration` compared with
    /// `<`, `>`, `=`, as in "bytes > 1M or duration > 10s".
    #[arg(long = "where", value_name = "EXPRESSION", value_parser = record_filter)]
    pub keep: Option<Arc<Filter>>,
    /// Show this many of the largest flows, or groups of them.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub top: usize,
    /// What makes a flow or group large.
    #[arg(long, value_enum, default_value_t)]
    pub by: Rank,
    /// Sum up flows that have these fields in common.
    #[arg(long, value_enum, value_name = "FIELD", value_delimiter = ',')]
    pub aggregate: Vec<Field>,
    /// Write a page with charts and the largest flows, which needs no network to be shown.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Print one JSON object per capture instead of a summary.
    #[arg(long)]
    pub json: bool,
    /// Whether the summary has colors.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub color: Color,
    /// How problems are written to standard error.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub log_format: LogFormat,
}

impl OutputArgs {
    /// How records are exported, if they are.
    pub fn plan(&self, flows: &FlowArgs) -> Option<Plan> {
        let path = self.export.as_ref()?;
        let target = Target::of(path);
        let by_name = match &target {
            Target::Collector(_) => Some(Format::Ipfix),
            Target::Stdout => None,
            Target::File(path) => Format::of(path),
        };
        let format = self.format.or(by_name).unwrap_or_default();
        let orientation = flows.orient.unwrap_or(format.orientation());
        let rotation = Rotation { time: self.rotate_time, size: self.rotate_size };
        Some(Plan { target, format, orientation, rotation })
    }

    /// What the summary shows.
    pub fn view(&self, flows: &FlowArgs) -> View {
        View {
            top: if self.report.is_some() { self.top.max(html::FLOWS) } else { self.top },
            by: self.by,
            aggregate: self.aggregate.clone(),
            orientation: flows.orient.unwrap_or(Orientation::Address),
            keep: self.keep.clone(),
        }
    }
}
