//! Bursts through a table have exactly the same result as packet after packet by the definition of a flow.

use std::collections::BTreeMap;
use std::time::Duration;

use flow_table::{FlowKey, Timeout};
use flow_table_cli::keyed::KeyedPacket;
use flow_table_cli::record::{End, FlowRecord, Record, Tally};
use flow_table_cli::replay::{BURST, Replay, Totals};
use proptest::prelude::*;

/// The definition: a packet joins the flow of its key if `now − last seen < timeout`, where `now` is the largest
/// time so far. Otherwise it starts a flow, if fewer than `capacity` are live.
#[derive(Default)]
struct Model {
    now: Option<i128>,
    flows: BTreeMap<FlowKey, (i128, Tally)>,
    ended: Vec<(FlowKey, Tally, End)>,
    peak_live: usize,
    refused: u64,
}

impl Model {
    fn packet(&mut self, packet: &KeyedPacket, timeout: i128, capacity: usize) {
        let now = self.now.map_or(packet.timestamp, |now| now.max(packet.timestamp));
        self.now = Some(now);
        let due = self.flows.iter().filter(|(_, (seen, _))| now - *seen >= timeout);
        for key in due.map(|(key, _)| *key).collect::<Vec<_>>() {
            let (_, tally) = self.flows.remove(&key).expect("it was there just now");
            self.ended.push((key, tally, End::IdleTimeout));
        }
        if let Some((seen, tally)) = self.flows.get_mut(&packet.key) {
            *seen = now;
            tally.last_ns = tally.last_ns.max(packet.timestamp);
            tally.packets += 1;
            tally.ip_bytes += packet.ip_bytes;
            tally.wire_bytes += packet.wire_bytes;
        } else if self.flows.len() == capacity {
            self.refused += 1;
        } else {
            let tally = Tally {
                first_ns: packet.timestamp,
                last_ns: packet.timestamp,
                packets: 1,
                ip_bytes: packet.ip_bytes,
                wire_bytes: packet.wire_bytes,
            };
            self.flows.insert(packet.key, (now, tally));
        }
        self.peak_live = self.peak_live.max(self.flows.len());
    }
}

fn replay<T: flow_table::Table<FlowKey, Record>>(
    packets: &[KeyedPacket],
    timeout: Timeout,
    capacity: usize,
) -> (Totals, Vec<FlowRecord>) {
    let mut flows = Vec::new();
    let mut replay = Replay::<T>::new(capacity, timeout);
    let mut sink = |flow| {
        flows.push(flow);
        Ok(())
    };
    for packet in packets {
        replay.packet(*packet, &mut sink).expect("nothing can fail");
    }
    let totals = replay.finish(&mut sink).expect("nothing can fail");
    (totals, flows)
}

fn compare<T: flow_table::Table<FlowKey, Record>>(
    packets: &[KeyedPacket],
    timeout: u64,
    capacity: usize,
) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    for packet in packets {
        model.packet(packet, timeout.into(), capacity);
    }
    let live_at_end = model.flows.len();
    let at_end = model.flows.iter().map(|(key, (_, tally))| (*key, *tally, End::EndOfCapture));
    let mut expected: Vec<_> = model.ended.iter().copied().chain(at_end).collect();
    expected.sort_by_key(|(key, tally, _)| (*key, tally.first_ns, tally.last_ns, tally.packets, tally.ip_bytes));

    let timeout = Duration::from_nanos(timeout).into();
    let (totals, flows) = replay::<T>(packets, timeout, capacity);
    let mut flows: Vec<_> = flows.into_iter().map(|flow| (flow.key, flow.tally, flow.end)).collect();
    flows.sort_by_key(|(key, tally, _)| (*key, tally.first_ns, tally.last_ns, tally.packets, tally.ip_bytes));

    prop_assert_eq!(totals.flows, expected.len() as u64);
    prop_assert_eq!(totals.refused, model.refused);
    prop_assert_eq!(totals.peak_live, model.peak_live);
    prop_assert_eq!(totals.live_at_end, live_at_end);
    prop_assert_eq!(flows, expected);
    Ok(())
}

/// Packets of a few keys. Their times mostly step forward, by little compared to the timeouts of the tests.
fn packets() -> impl Strategy<Value = Vec<KeyedPacket>> {
    let packet = (0u16..12, prop_oneof![8 => 0i128..6, 1 => -40i128..0, 1 => 0i128..60], 1u64..1500);
    prop::collection::vec(packet, 0..6 * BURST).prop_map(|packets| {
        let mut timestamp = -1_000;
        let keyed = |(port, step, bytes): (u16, i128, u64)| {
            timestamp += step;
            let key = format!("udp 10.0.0.1:{port} > 10.0.0.2:53").parse().expect("a key");
            KeyedPacket { key, timestamp, ip_bytes: bytes, wire_bytes: bytes + 14 }
        };
        packets.into_iter().map(keyed).collect()
    })
}

/// One packet of one flow at each of these times.
fn flows_at<T: flow_table::Table<FlowKey, Record>>(times: &[i128], timeout: Timeout) -> (Totals, Vec<FlowRecord>) {
    let key = "tcp [fd00::1]:1 > [fd00::2]:2".parse().expect("a key");
    let packet = |timestamp: &i128| KeyedPacket { key, timestamp: *timestamp, ip_bytes: 40, wire_bytes: 54 };
    replay::<T>(&times.iter().map(packet).collect::<Vec<_>>(), timeout, 10)
}

fn any_time_is_survived<T: flow_table::Table<FlowKey, Record>>() {
    let minute = Duration::from_secs(60).into();
    let year = 31_557_600_000_000_000i128;
    // A flow ends within the clock's range. At the end of the range, 146 years after the first packet, time stops.
    let times = [i128::MIN, i128::MIN + 100 * year, i128::MIN + 200 * year, i128::MAX, 0];
    let (totals, flows) = flows_at::<T>(&times, minute);
    assert_eq!((totals.flows, totals.live_at_end), (3, 1));
    let last = flows.last().expect("three flows");
    assert_eq!(
        (last.tally.first_ns, last.tally.last_ns),
        (i128::MIN + 200 * year, i128::MAX),
        "times of their own"
    );

    let (totals, _) = flows_at::<T>(&times, Timeout::NEVER);
    assert_eq!((totals.flows, totals.live_at_end), (1, 1), "never is later than the end of time");
}

macro_rules! for_backend {
    ($feature:literal, $name:ident, $table:ty) => {
        #[cfg(feature = $feature)]
        mod $name {
            use super::*;

            proptest! {
                #[test]
                fn replays_exactly(
                    packets in packets(),
                    timeout in 1u64..80,
                    capacity in prop_oneof![0usize..8, Just(1_000)],
                ) {
                    compare::<$table>(&packets, timeout, capacity)?;
                }
            }

            #[test]
            fn survives_any_time() {
                any_time_is_survived::<$table>();
            }
        }
    };
}

for_backend!("dashmap", dashmap, flow_table::dashmap::FlowTable<_, _>);
for_backend!("custom", custom, flow_table::custom::FlowTable<_, _>);
