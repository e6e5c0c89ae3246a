//! Replays a capture through the tables of both backends.

use std::ops::ControlFlow;
use std::time::Duration;

use flow_table_api::{FlowKey, Table, Timeout};
use flow_table_cli::capture::{self, Moment, Options};
use flow_table_cli::direction::FlowDirection;
use flow_table_cli::keyer::{Keying, TenantField};
use flow_table_cli::protocols::Protocols;
use flow_table_cli::record::{End, FlowRecord, Record};
use flow_table_cli::replay::{Ends, Totals};
use flow_table_cli::summary::{Summary, View};

const TIMEOUTS: [Duration; 4] =
    [Duration::from_nanos(1), Duration::from_millis(10), Duration::from_secs(1), Duration::MAX];
const CAPACITIES: [usize; 4] = [0, 1, 3, 1_000];

/// Replays the capture behind one byte of options.
pub fn check(bytes: &[u8]) {
    let Some((choices, capture)) = bytes.split_first() else { return };
    let choice = |shift: u8| usize::from(choices >> shift & 3);
    let both = choices & 4 != 0;
    let idle = Timeout::from(TIMEOUTS[choice(0)]);
    // The top two bits switch on what is off by default.
    let (more_ends, more_keys) = (choices & 0x40 != 0, choices & 0x80 != 0);
    let options = Options {
        keying: Keying {
            direction: if both { FlowDirection::Bidi } else { FlowDirection::Uni },
            protocols: if choices & 8 == 0 { Protocols::All } else { Protocols::L4 },
            tunnels: if more_keys { 3 } else { 0 },
            fragments: more_keys,
            tenant: if more_keys { TenantField::Vlan } else { TenantField::None },
        },
        ends: Ends {
            idle,
            active: more_ends.then_some(Duration::from_millis(5)),
            tcp_linger: more_ends.then_some(Duration::from_millis(1)),
            both,
        },
        capacity: CAPACITIES[choice(4)],
        workers: 1,
        filter: None,
        bpf: None,
        view: View::default(),
    };
    let (custom, custom_flows) = replay::<flow_table_custom::FlowTable<_, _>>(capture, &options);
    let (dashmap, dashmap_flows) = replay::<flow_table_dashmap::FlowTable<_, _>>(capture, &options);
    assert_eq!(custom_flows, dashmap_flows);
    assert_eq!(comparable(&custom), comparable(&dashmap));
    adds_up(&custom, &custom_flows, &options);
}

fn replay<T: Table<FlowKey, Record>>(capture: &[u8], options: &Options) -> (Summary, Vec<FlowRecord>) {
    let mut flows = Vec::new();
    let mut sink = |flow| {
        flows.push(flow);
        Ok(())
    };
    let mut watch = |_: &Moment<'_>| ControlFlow::Continue(());
    let summary = capture::replay::<T>(capture, options, &mut watch, &mut sink);
    flows.sort_unstable_by_key(|flow| (flow.key, flow.tally.first_ns, flow.directions, flow.end));
    (summary.expect("neither sink nor table fail"), flows)
}

/// The summary without the parts that are measured, and without the order in which flows ended.
fn comparable(summary: &Summary) -> String {
    let Summary { format, frames, skipped, unselected, selected, flows, totals, errors, .. } = summary;
    let totals = Totals { table_time: Duration::ZERO, table_bytes: 0, ..*totals };
    let flows = (&flows.by_protocol, flows.by_end, flows.top.sorted());
    let unfollowed = summary.unfollowed;
    format!(
        "{format:?} {frames:?} {skipped:?} {unselected} {selected:?} {flows:?} {totals:?} {errors:?} {unfollowed}"
    )
}

fn adds_up(summary: &Summary, flows: &[FlowRecord], options: &Options) {
    let Summary { frames, skipped, selected, unselected, totals, .. } = summary;
    let packets: u64 = flows.iter().map(|flow| flow.tally.packets).sum();
    assert_eq!(packets + totals.refused, selected.packets, "{summary:?}");
    assert_eq!(selected.packets + unselected + skipped.values().sum::<u64>(), frames.packets, "{summary:?}");
    let parts = summary.flows.by_end[End::ActiveTimeout as usize];
    assert_eq!((totals.flows + parts, summary.flows.count()), (flows.len() as u64, flows.len() as u64));
    assert!(totals.peak_live <= options.capacity && totals.live_at_end <= totals.peak_live);
    assert!(flows.iter().all(|flow| flow.tally.first_ns <= flow.tally.last_ns), "{flows:?}");
}
