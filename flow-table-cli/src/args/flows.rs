use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::backend::Backend;
use crate::bpf::Expression;
use crate::capture::Options;
use crate::direction::FlowDirection;
use crate::filter::{Filter, FilterError};
use crate::idle::{IdleTimeout, duration};
use crate::keyer::{Keying, TenantField};
use crate::protocols::Protocols;
use crate::record::Orientation;
use crate::replay::Ends;
use crate::summary::View;

/// What flows are, for every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Flows")]
pub struct FlowArgs {
    /// The table's implementation.
    #[arg(long, value_enum, default_value_t)]
    pub backend: Backend,
    /// End flows that got no packet for this long; 0 means never.
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub idle_timeout: IdleTimeout,
    /// Write a record of each flow that lasts longer, for every such period.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub active_timeout: Option<Duration>,
    /// End TCP flows this long after their last packet once FIN or RST has closed them; 0 means at once.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub tcp_linger: Option<Duration>,
    /// Whether the two directions of a conversation are one flow.
    #[arg(long, value_enum, default_value_t)]
    pub direction: FlowDirection,
    /// Which end of a flow is the source in its record; without it `address`, or `syn` for Zeek's format,
    /// IPFIX and NetFlow.
    #[arg(long, value_enum)]
    pub orient: Option<Orientation>,
    /// Which packets belong to flows.
    #[arg(long, value_enum, default_value_t)]
    pub protocols: Protocols,
    /// Only packets for which this holds: `host`, `net`, `port`, `proto`, `tcp`, `udp`, `and`, `or`, `not`, as in
    /// "tcp and not port 22".
    #[arg(long, value_name = "EXPRESSION", value_parser = packet_filter)]
    pub filter: Option<Arc<Filter>>,
    /// Only packets for which this holds in libpcap's language, as in "tcp and greater 1000". The program
    /// `tcpdump` compiles it.
    #[arg(long, value_name = "EXPRESSION", value_parser = bpf)]
    pub bpf: Option<Expression>,
    /// Count later fragments in the flow of their first one, and not under port 0.
    #[arg(long)]
    pub fragments: bool,
    /// Open up to this many tunnels within one another (IP in IP, GRE, VXLAN, Geneve, GTP-U); flows are then what
    /// is inside.
    #[arg(long, value_name = "DEPTH", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=8))]
    pub tunnels: u8,
    /// What tells flows apart besides addresses, ports and protocol.
    #[arg(long, value_enum, default_value_t)]
    pub tenant: TenantField,
    /// Threads with a table of their own. Records are the same; the capacity is shared evenly.
    #[arg(long, value_name = "THREADS", default_value_t = 1, value_parser = workers)]
    pub workers: usize,
    /// The largest number of flows in the table. Packets that would start another one are refused, and counted.
    #[arg(long, value_name = "FLOWS", default_value_t = 16 << 20)]
    pub capacity: usize,
}

impl FlowArgs {
    /// The options of a replay.
    pub fn options(&self, view: View) -> Options {
        Options {
            keying: Keying {
                direction: self.direction,
                protocols: self.protocols,
                tunnels: self.tunnels,
                fragments: self.fragments,
                tenant: self.tenant,
            },
            ends: Ends {
                idle: self.idle_timeout.timeout(),
                active: self.active_timeout.filter(|active| !active.is_zero()),
                tcp_linger: self.tcp_linger,
                both: self.direction == FlowDirection::Bidi,
            },
            capacity: self.capacity,
            workers: self.workers,
            filter: self.filter.clone(),
            bpf: self.bpf.clone(),
            view,
        }
    }
}

fn workers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=64) => Ok(count),
        _ => Err("expected a number from 1 to 64".to_owned()),
    }
}

/// Parses a filter for packets.
fn packet_filter(text: &str) -> Result<Arc<Filter>, String> {
    let filter: Filter = text.parse().map_err(|error: FilterError| error.to_string())?;
    if filter.needs_records() {
        return Err("packets have no `packets`, `bytes` or `duration`; use --where for records".to_owned());
    }
    Ok(Arc::new(filter))
}

fn bpf(text: &str) -> Result<Expression, String> {
    Expression::new(text).map_err(|error| error.to_string())
}

/// Parses a filter for records.
pub(super) fn record_filter(text: &str) -> Result<Arc<Filter>, FilterError> {
    text.parse().map(Arc::new)
}
