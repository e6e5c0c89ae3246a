//! Exports records of flows: of one that lives for long in each active timeout, and of each when nobody can change
//! it any more. The counts are exact, although four threads count packets while flows expire and are cancelled.
//!
//! ```text
//! cargo run --release --example exporter -- 100000000     that many packets; the default is 400,000
//! ```

use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use flow_table::{
    Answer, Budget, Burst, EndReason, FinalRecord, Flow, FlowKey, FlowSpec, FlowTable, Handle, Table, TableConfig,
    Timestamp,
};

const WORKERS: u64 = 4;
const CLIENTS: u16 = 500;
const TIMEOUT: Duration = Duration::from_micros(300);
const ACTIVE_TIMEOUT: Duration = Duration::from_millis(2);

/// What is counted. You choose the interior mutability of the value; a record has it by value.
struct Totals {
    packets: AtomicU64,
    /// Those of the packets that are in records already.
    recorded: AtomicU64,
    /// When the next record is due while the flow lives.
    next: AtomicU64,
    first: Timestamp,
}

impl Totals {
    fn new(now: Timestamp) -> Self {
        let next = (now + ACTIVE_TIMEOUT).as_nanos();
        Self { packets: 0.into(), recorded: 0.into(), next: next.into(), first: now }
    }

    /// The packets since the last record. Relaxed: a reap asks about one flow at a time, and what other threads
    /// count meanwhile is in this record or in a later one.
    fn news(&self) -> u64 {
        let packets = self.packets.load(Ordering::Relaxed);
        packets - self.recorded.swap(packets, Ordering::Relaxed)
    }
}

/// What goes to the exporter.
enum Record {
    /// The flow lives on; so many packets are new.
    Interim(u64),
    Final(FinalRecord<FlowKey, Totals>),
}

/// The exporter's books.
#[derive(Default)]
struct Exported {
    interim: u64,
    records: u64,
    packets: u64,
    expired: u64,
    cancelled: u64,
}

impl Exported {
    fn add(&mut self, record: Record) {
        let record = match record {
            Record::Final(record) => record,
            Record::Interim(packets) => {
                self.interim += 1;
                self.packets += packets;
                return;
            }
        };
        let packets = record.value.news();
        if self.records < 3 {
            let (key, first, reason) = (record.key, record.value.first, record.reason);
            println!("{key}\tpackets {packets}\tfrom {first}\t{reason:?}");
        }
        self.records += 1;
        self.packets += packets;
        self.expired += u64::from(record.reason == EndReason::Expired);
        self.cancelled += u64::from(record.reason == EndReason::Cancelled);
    }
}

/// The key of a worker's packet, and whether it resets its connection.
fn packet(worker: u64, number: u64) -> (FlowKey, bool) {
    let dice = (worker << 48 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let client = 1_024 + (dice % u64::from(CLIENTS)) as u16;
    let end = |address: [u8; 4], port| SocketAddrV4::new(address.into(), port);
    let key = FlowKey::v4(end([10, 0, 0, 1], client), end([192, 0, 2, 80], 443), 6);
    (key, dice >> 32 & 0xff == 0)
}

/// Records what is new in a live flow, if it is time.
fn ask(flow: &Handle<FlowKey, Totals>, now: Timestamp, exporter: &Sender<Record>) -> Answer {
    let totals = flow.value();
    if !flow.is_live(now) {
        return Answer::Proceed;
    }
    if totals.next.load(Ordering::Relaxed) <= now.as_nanos() {
        exporter.send(Record::Interim(totals.news())).expect("the exporter listens");
        totals.next.store((now + ACTIVE_TIMEOUT).as_nanos(), Ordering::Relaxed);
    }
    Answer::AskAgain(Timestamp::from_nanos(totals.next.load(Ordering::Relaxed)))
}

/// Counts packets in bursts of 32. All workers see the same flows. Returns how many packets found no room.
fn work(
    flows: &FlowTable<FlowKey, Totals>,
    worker: u64,
    packets: u64,
    clock: &AtomicU64,
    exporter: &Sender<Record>,
) -> u64 {
    let mut refused = 0;
    for first in (0..packets).step_by(32) {
        // Relaxed: a clock. It runs a hundred times slower than packets come.
        let now = Timestamp::from_nanos(clock.fetch_add(10_000, Ordering::Relaxed));
        let burst = flows.burst(now);
        for number in first..packets.min(first + 32) {
            let (key, reset) = packet(worker, number);
            let spec = FlowSpec::new(key).timeout(TIMEOUT);
            let count = |totals: &Totals| totals.packets.fetch_add(1, Ordering::Relaxed);
            match burst.get(&key).filter(|flow| flow.refresh(now)) {
                Some(flow) => {
                    count(flow.value());
                    if reset {
                        flow.cancel();
                    }
                }
                None => {
                    match flows.get_or_insert_with(spec, now, || Totals::new(now)) {
                        Ok(admission) => drop(count(admission.flow().value())),
                        // Ended flows that wait for a reap fill the table.
                        Err(_) => refused += 1,
                    }
                }
            }
        }
        drop(burst);
        flows.reap_asking(now, Budget::flows(64), |flow| ask(flow, now, exporter), drop);
    }
    refused
}

fn main() {
    let packets: u64 = std::env::args().nth(1).map_or(400_000, |packets| packets.parse().expect("a number"));
    let (send, records): (Sender<Record>, _) = mpsc::channel();
    // Makes a record where the last reference goes; only sends it, as that may be in a worker.
    let config = TableConfig::new(4 * usize::from(CLIENTS)).active_timeout(ACTIVE_TIMEOUT);
    let last = send.clone();
    let flows = FlowTable::with_records(config, move |record| {
        last.send(Record::Final(record)).expect("the exporter listens");
    });
    let exporter = thread::spawn(move || {
        let mut exported = Exported::default();
        records.into_iter().for_each(|record| exported.add(record));
        exported
    });

    let clock = AtomicU64::new(1);
    let refused: u64 = thread::scope(|scope| {
        let (flows, clock, send) = (&flows, &clock, &send);
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| scope.spawn(move || work(flows, worker, packets / WORKERS, clock, send)))
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).sum()
    });

    // The table goes, and with it the flows that are left: they are recorded, too, and then the channel is closed.
    drop((flows, send));
    let exported = exporter.join().expect("no panic");
    println!(
        "{} flows of {} packets; {} expired, {} cancelled; {} records of live flows; {refused} packets refused",
        exported.records, exported.packets, exported.expired, exported.cancelled, exported.interim
    );
    assert_eq!(
        exported.packets + refused,
        packets / WORKERS * WORKERS,
        "each is in exactly one record, or refused"
    );
    assert!(exported.records > u64::from(CLIENTS), "flows have ended and come anew");
    assert!(exported.interim > 0, "some lived for long");
}
