//! A flow exporter. It writes one record for each flow that ended, in whatever way it ended, so that no packet is
//! lost and none is counted twice.
//!
//! `cargo run --release --example exporter`

use std::sync::Mutex;
use std::time::Duration;

use flow_table::{Budget, EndReason, Ended, Flow, FlowKey, FlowSpec, FlowTable, InsertError, Table, Timestamp};

struct Totals {
    packets: u64,
    first: Timestamp,
    last: Timestamp,
}

// You choose the interior mutability of the value. A lock is enough here.
type Flows = FlowTable<FlowKey, Mutex<Totals>>;
type Handle = <Flows as Table<FlowKey, Mutex<Totals>>>::Ref;

#[derive(Default)]
struct Exporter {
    records: usize,
    packets: u64,
    reasons: Vec<EndReason>,
    /// Packets for which the table had no room.
    unrecorded: u64,
}

impl Exporter {
    fn export(&mut self, ended: &Ended<Handle>) {
        let totals = ended.flow.value().lock().expect("nobody panics with the lock");
        println!(
            "{}\tpackets {}\tfrom {:?} to {:?}\t{:?}",
            ended.flow.key(),
            totals.packets,
            totals.first,
            totals.last,
            ended.reason
        );
        self.records += 1;
        self.packets += totals.packets;
        self.reasons.push(ended.reason);
    }

    fn packet(&mut self, flows: &Flows, packet: &Packet) {
        let (key, now) = (packet.key.parse::<FlowKey>().expect("a key"), Timestamp::from_secs(packet.second));
        let spec = FlowSpec::new(key).timeout(Duration::from_secs(10));
        let make = || Mutex::new(Totals { packets: 0, first: now, last: now });
        let flow = match flows.get_or_insert_with(spec, now, make) {
            // In a full table, flows that are due make room. The next reap hands them over.
            Ok(admission) => admission.into_flow(),
            Err(InsertError::Full { .. }) => {
                self.unrecorded += 1;
                return;
            }
            Err(error) => panic!("{error}"),
        };
        flow.refresh(now);
        {
            let mut totals = flow.value().lock().expect("nobody panics with the lock");
            totals.packets += 1;
            totals.last = now;
        }
        if packet.reset {
            flow.cancel();
        }
    }
}

struct Packet {
    second: u64,
    key: &'static str,
    reset: bool,
}

const fn packet(second: u64, key: &'static str) -> Packet {
    Packet { second, key, reset: false }
}

const WEB: &str = "tcp 10.0.0.1:40000 > 192.0.2.80:443";
const DNS: &str = "udp 10.0.0.1:5353 > 192.0.2.53:53";
const NTP: &str = "udp 10.0.0.1:123 > 192.0.2.123:123";
const SSH: &str = "tcp 10.0.0.1:40001 > 192.0.2.22:22";

const TRACE: [Packet; 9] = [
    packet(0, WEB),
    packet(0, DNS),
    packet(1, NTP),
    packet(2, WEB),
    packet(3, SSH),  // no room: the table is full and nothing is due
    packet(11, SSH), // DNS and NTP are due by now: room is made
    packet(11, WEB),
    Packet { second: 12, key: SSH, reset: true },
    packet(13, WEB),
];

fn main() {
    let flows = Flows::new(3);
    let mut exporter = Exporter::default();

    for packet in &TRACE {
        exporter.packet(&flows, packet);
    }
    assert_eq!(exporter.unrecorded, 1);
    assert!(flows.stats().dying >= 1, "a flow that was due has made room, and waits for the reap");

    // Records flows that have expired or were cancelled. A real exporter does this between bursts, or passes the
    // same closure to a `Reaper`.
    let now = Timestamp::from_secs(14);
    let report = flows.reap_with(now, Budget::UNLIMITED, |ended| exporter.export(&ended));
    assert_eq!(report.expired, 2, "DNS and NTP, one of which has made room");
    assert_eq!(report.cancelled, 1, "SSH was reset");
    assert_eq!(flows.len(), 1, "WEB is live");

    // At the end of the program, end the live flows, so that they are handed over, too.
    flows.for_each(|flow| {
        flow.cancel();
    });
    flows.reap_with(now, Budget::UNLIMITED, |ended| exporter.export(&ended));

    assert!(flows.is_empty());
    assert_eq!(exporter.records, 4, "one record for each flow");
    assert_eq!(exporter.packets + exporter.unrecorded, TRACE.len() as u64, "each packet counted once");
    assert_eq!(exporter.reasons.iter().filter(|reason| **reason == EndReason::Cancelled).count(), 2);
}
