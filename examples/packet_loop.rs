//! A packet loop. Each worker takes packets in bursts, looks up all keys of a burst at once, refreshes the flows
//! that it finds, inserts those that it does not find, and reaps its own share between bursts.
//!
//! `cargo run --release --example packet_loop`

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use flow_table::{Budget, Burst, Ended, Flow, FlowKey, FlowSpec, FlowTable, Table, Timestamp};

const WORKERS: u8 = 2;
const BURSTS: u32 = 4_000;
const BURST: usize = 32;
const BURST_INTERVAL: Duration = Duration::from_millis(10);
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
/// Conversations at one time, on each worker.
const WINDOW: u32 = 16;
/// Bursts after which one conversation ends and the next begins.
const TURNOVER: u32 = 4;

#[derive(Default)]
struct Counters {
    packets: AtomicU64,
    bytes: AtomicU64,
}

impl Counters {
    fn count(&self, packet: &Packet) {
        self.packets.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(packet.bytes, Ordering::Relaxed);
    }
}

type Flows = FlowTable<FlowKey, Counters>;
type Handle = <Flows as Table<FlowKey, Counters>>::Ref;

struct Packet {
    key: FlowKey,
    bytes: u64,
}

#[derive(Default)]
struct Report {
    packets: u64,
    flows: u64,
    recorded_packets: u64,
    recorded_bytes: u64,
}

impl Report {
    fn record(&mut self, ended: &Ended<Handle>) {
        let counters = ended.flow.value();
        self.recorded_packets += counters.packets.load(Ordering::Relaxed);
        self.recorded_bytes += counters.bytes.load(Ordering::Relaxed);
    }
}

fn main() {
    let flows = Flows::new(10_000);
    // Stands for the clock that workers share. Without it, one could be seconds of packet time ahead of another.
    let tick = Barrier::new(usize::from(WORKERS));
    let mut total = Report::default();
    thread::scope(|scope| {
        // A network card with symmetric RSS gives both directions of a conversation to one worker.
        let workers: Vec<_> = (0..WORKERS)
            .map(|id| {
                let (flows, tick) = (&flows, &tick);
                scope.spawn(move || worker(flows, tick, id))
            })
            .collect();
        for worker in workers {
            let report = worker.join().expect("a worker panicked");
            total.packets += report.packets;
            total.flows += report.flows;
            total.recorded_packets += report.recorded_packets;
            total.recorded_bytes += report.recorded_bytes;
        }
    });
    println!("{} packets made {} flows; {} are left in the table", total.packets, total.flows, flows.len());

    // The workers reaped all the time, so the table never held more than the flows that were active or idle for a
    // short time.
    assert_eq!(total.packets, u64::from(WORKERS) * u64::from(BURSTS) * BURST as u64);
    assert_eq!(total.flows, u64::from(WORKERS) * u64::from(BURSTS / TURNOVER + WINDOW - 1));
    assert!(flows.len() < total.flows as usize / 10);

    // Their threads have ended, but a later reap gets the flows that they left behind.
    let late = Timestamp::from_secs(3_600);
    let report = flows.reap_with(late, Budget::UNLIMITED, |ended| total.record(&ended));
    println!("a late reap collected {} more", report.expired);
    assert!(flows.is_empty());
    assert_eq!(total.recorded_packets, total.packets, "each packet is in exactly one record");
    assert_eq!(total.recorded_bytes, total.packets * 100);
}

fn worker(flows: &Flows, tick: &Barrier, id: u8) -> Report {
    let mut report = Report::default();
    let mut now = Timestamp::ZERO;
    let (mut packets, mut keys) = (Vec::with_capacity(BURST), Vec::with_capacity(BURST));
    for burst in 0..BURSTS {
        receive(id, burst, &mut packets);
        keys.clear();
        keys.extend(packets.iter().map(|packet: &Packet| packet.key));
        tick.wait();
        now += BURST_INTERVAL; // one reading of the clock for the whole burst

        forward(flows, &packets, &keys, now, &mut report);

        // Reaps between bursts, in small portions, so that expiry never delays a packet for long.
        flows.reap_local_with(now, Budget::flows(64), |ended| report.record(&ended));
    }
    report
}

fn forward(flows: &Flows, packets: &[Packet], keys: &[FlowKey], now: Timestamp, report: &mut Report) {
    let burst = flows.burst(now);
    let mut found = Vec::with_capacity(keys.len());
    burst.get_batch(keys, &mut found);
    for (packet, flow) in packets.iter().zip(&found) {
        report.packets += 1;
        match flow {
            // The refresh was granted, so the flow is live. No reference was counted to get here.
            Some(flow) if flow.refresh(now) => flow.value().count(packet),
            _ => first_packet(flows, packet, now, report),
        }
    }
}

/// The miss path. A flow may exist by now, because two first packets of one conversation can be in the same burst.
fn first_packet(flows: &Flows, packet: &Packet, now: Timestamp, report: &mut Report) {
    let spec = FlowSpec::new(packet.key).reply(packet.key.reversed()).timeout(IDLE_TIMEOUT);
    let admission = flows.get_or_insert_with(spec, now, Counters::default).expect("the table has room");
    report.flows += u64::from(admission.is_inserted());
    admission.flow().value().count(packet);
}

/// Fills `packets` as a network card would, with packets of a few conversations in both directions.
fn receive(worker: u8, burst: u32, packets: &mut Vec<Packet>) {
    packets.clear();
    packets.extend((0..BURST as u32).map(|i| {
        let conversation = burst / TURNOVER + i % WINDOW;
        let client = SocketAddrV4::new(Ipv4Addr::from_bits(0x0a00_0000 | conversation), 40_000);
        let server = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, worker), 443);
        let key = FlowKey::v4(client, server, 6);
        Packet { key: if i < WINDOW { key } else { key.reversed() }, bytes: 100 }
    }));
}
