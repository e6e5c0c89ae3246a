//! Bursts through a table have exactly the same result as packet after packet by the definition of a flow.

use std::collections::BTreeMap;
use std::time::Duration;

use flow_table::{FlowKey, Timeout};
use flow_table_cli::keyed::KeyedPacket;
use flow_table_cli::packet::tcp;
use flow_table_cli::record::{End, FlowRecord, Record, Tally};
use flow_table_cli::replay::{BURST, Ends, Replay, Totals};
use flow_table_cli::workers;
use proptest::prelude::*;

/// The definition: a packet joins the flow of its key if `now − last seen < timeout`, where `now` is the largest
/// time so far. Otherwise it starts a flow, if fewer than `capacity` are live. The timeout of a flow whose
/// connection is closed is the linger time, and a SYN does not join such a flow.
#[derive(Default)]
struct Model {
    now: Option<i128>,
    flows: BTreeMap<FlowKey, Live>,
    ended: Vec<FlowRecord>,
    peak_live: usize,
    refused: u64,
}

struct Live {
    seen: i128,
    since: i128,
    fin: [bool; 2],
    record: FlowRecord,
    closed: Option<End>,
}

impl Live {
    fn new(packet: &KeyedPacket, now: i128) -> Self {
        let record = FlowRecord {
            key: packet.key,
            tally: Tally::default(),
            directions: [Tally::default(); 2],
            first_reversed: packet.reversed,
            syn_reversed: None,
            tunnel: None,
            end: End::EndOfCapture,
        };
        Self { seen: now, since: now, fin: [false; 2], record, closed: None }
    }

    fn add(&mut self, packet: &KeyedPacket, ends: &Ends) {
        for tally in [&mut self.record.tally, &mut self.record.directions[usize::from(packet.reversed)]] {
            if tally.packets == 0 {
                *tally = Tally::of(packet);
            } else {
                tally.add(packet);
            }
        }
        let flags = packet.tcp_flags;
        if flags & tcp::SYN != 0 && self.record.syn_reversed.is_none() {
            self.record.syn_reversed = Some(packet.reversed != (flags & tcp::ACK != 0));
        }
        self.fin[usize::from(packet.reversed)] |= flags & tcp::FIN != 0;
        if ends.tcp_linger.is_some() && self.closed.is_none() {
            if flags & tcp::RST != 0 {
                self.closed = Some(End::TcpRst);
            } else if self.fin == [true; 2] || !ends.both && self.fin != [false; 2] {
                self.closed = Some(End::TcpFin);
            }
        }
    }

    fn ended(&self, end: End) -> FlowRecord {
        FlowRecord { end: self.closed.unwrap_or(end), ..self.record.clone() }
    }
}

impl Model {
    fn packet(&mut self, packet: &KeyedPacket, ends: &Ends, capacity: usize) {
        let nanos = |duration: Duration| i128::try_from(duration.as_nanos()).expect("it is short");
        let now = self.now.map_or(packet.timestamp, |now| now.max(packet.timestamp));
        self.now = Some(now);
        let linger = ends.tcp_linger.map(nanos);
        let timeout = |flow: &Live| match (flow.closed, linger) {
            (Some(_), Some(linger)) => linger,
            _ => nanos(ends.idle.as_duration()),
        };
        self.end_those(|flow| now - flow.seen >= timeout(flow));
        let syn = packet.tcp_flags & (tcp::SYN | tcp::ACK) == tcp::SYN;
        if let Some(closed) = self.flows.get(&packet.key).filter(|flow| syn && flow.closed.is_some()) {
            self.ended.push(closed.ended(End::IdleTimeout));
            self.flows.remove(&packet.key);
        }
        if !self.flows.contains_key(&packet.key) {
            if self.flows.len() == capacity {
                self.refused += 1;
                return;
            }
            self.flows.insert(packet.key, Live::new(packet, now));
        }
        let flow = self.flows.get_mut(&packet.key).expect("it is there now");
        if ends.active.is_some_and(|active| now - flow.since >= nanos(active)) {
            self.ended.push(FlowRecord { end: End::ActiveTimeout, ..flow.record.clone() });
            flow.since = now;
            flow.record.tally = Tally::default();
            flow.record.directions = [Tally::default(); 2];
        }
        flow.seen = now;
        flow.add(packet, ends);
        self.peak_live = self.peak_live.max(self.flows.len());
        if linger == Some(0) {
            self.end_those(|flow| flow.closed.is_some());
        }
    }

    fn end_those(&mut self, is_over: impl Fn(&Live) -> bool) {
        let ended = &mut self.ended;
        self.flows.retain(|_, flow| {
            let over = is_over(flow);
            ended.extend(over.then(|| flow.ended(End::IdleTimeout)));
            !over
        });
    }
}

fn replay<T: flow_table::Table<FlowKey, Record>>(
    packets: &[KeyedPacket],
    ends: Ends,
    capacity: usize,
) -> (Totals, Vec<FlowRecord>) {
    let mut flows = Vec::new();
    let mut replay = Replay::<T>::new(capacity, ends);
    let mut sink = |flow| {
        flows.push(flow);
        Ok(())
    };
    for packet in packets {
        replay.packet(packet.clone(), &mut sink).expect("nothing can fail");
    }
    let totals = replay.finish(&mut sink).expect("nothing can fail");
    (totals, flows)
}

fn compare<T: flow_table::Table<FlowKey, Record>>(
    packets: &[KeyedPacket],
    ends: Ends,
    capacity: usize,
) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    for packet in packets {
        model.packet(packet, &ends, capacity);
    }
    let live_at_end = model.flows.len();
    let at_end = model.flows.values().map(|flow| flow.ended(End::EndOfCapture));
    let expected: Vec<_> = model.ended.iter().cloned().chain(at_end).collect();

    let (totals, flows) = replay::<T>(packets, ends, capacity);
    agrees(&model, totals, flows, expected.clone(), live_at_end)?;
    // Workers share the capacity, so that only a table that is never full behaves like one thread's.
    if capacity == 1_000 {
        let (totals, flows) = replay_with_workers::<T>(packets, ends, capacity);
        agrees(&model, totals, flows, expected, live_at_end)?;
    }
    Ok(())
}

fn agrees(
    model: &Model,
    totals: Totals,
    mut flows: Vec<FlowRecord>,
    mut expected: Vec<FlowRecord>,
    live_at_end: usize,
) -> Result<(), TestCaseError> {
    let rank =
        |flow: &FlowRecord| (flow.key, flow.tally.first_ns, flow.tally.last_ns, flow.tally.packets, flow.end);
    expected.sort_by_key(rank);
    flows.sort_by_key(rank);

    let parts = flows.iter().filter(|flow| flow.end == End::ActiveTimeout).count();
    prop_assert_eq!(totals.flows + parts as u64, expected.len() as u64);
    prop_assert_eq!(totals.refused, model.refused);
    prop_assert_eq!(totals.peak_live, model.peak_live);
    prop_assert_eq!(totals.live_at_end, live_at_end);
    prop_assert_eq!(flows, expected);
    Ok(())
}

/// The same with three threads.
fn replay_with_workers<T: flow_table::Table<FlowKey, Record>>(
    packets: &[KeyedPacket],
    ends: Ends,
    capacity: usize,
) -> (Totals, Vec<FlowRecord>) {
    let mut flows = Vec::new();
    let mut sink = |flow| {
        flows.push(flow);
        Ok(())
    };
    let totals = workers::replay::<T>(packets, 3, capacity, ends, &mut sink).expect("nothing can fail");
    (totals, flows)
}

/// Flows that only time ends, or also TCP flags, and records that an active timeout splits.
fn ends() -> impl Strategy<Value = Ends> {
    let active = prop::option::of(1u64..40);
    let linger = prop::option::of(0u64..10);
    (1u64..80, active, linger, any::<bool>()).prop_map(|(idle, active, linger, both)| Ends {
        idle: Duration::from_nanos(idle).into(),
        active: active.map(Duration::from_nanos),
        tcp_linger: linger.map(Duration::from_nanos),
        both,
    })
}

/// Packets of a few keys. Their times mostly step forward, by little compared to the timeouts of the tests.
fn packets() -> impl Strategy<Value = Vec<KeyedPacket>> {
    let step = prop_oneof![8 => 0i128..6, 1 => -40i128..0, 1 => 0i128..60];
    let flags = prop_oneof![4 => Just(0), 1 => Just(tcp::SYN), 1 => Just(tcp::SYN | tcp::ACK),
        2 => Just(tcp::FIN | tcp::ACK), 1 => Just(tcp::RST)];
    let packet = (0u16..12, step, 1u64..1500, any::<bool>(), flags);
    prop::collection::vec(packet, 0..6 * BURST).prop_map(|packets| {
        let mut timestamp = -1_000;
        let keyed = |(port, step, bytes, reversed, tcp_flags): (u16, i128, u64, bool, u8)| {
            timestamp += step;
            let key = format!("tcp 10.0.0.1:{port} > 10.0.0.2:53").parse().expect("a key");
            let (ip_bytes, wire_bytes, ttl) = (bytes, bytes + 14, bytes as u8);
            KeyedPacket { key, reversed, timestamp, ip_bytes, wire_bytes, tcp_flags, ttl, tunnel: None }
        };
        packets.into_iter().map(keyed).collect()
    })
}

/// One packet of one flow at each of these times.
fn flows_at<T: flow_table::Table<FlowKey, Record>>(times: &[i128], timeout: Timeout) -> (Totals, Vec<FlowRecord>) {
    let key = "tcp [fd00::1]:1 > [fd00::2]:2".parse().expect("a key");
    let packet = |timestamp: &i128| KeyedPacket {
        key,
        reversed: false,
        timestamp: *timestamp,
        ip_bytes: 40,
        wire_bytes: 54,
        tcp_flags: 0,
        ttl: 64,
        tunnel: None,
    };
    replay::<T>(&times.iter().map(packet).collect::<Vec<_>>(), Ends::idle(timeout), 10)
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
                    ends in ends(),
                    capacity in prop_oneof![0usize..8, Just(1_000)],
                ) {
                    compare::<$table>(&packets, ends, capacity)?;
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
