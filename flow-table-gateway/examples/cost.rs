//! What the gateway's own work on a packet costs, without a device: packets of many flows in bursts, with the
//! table and without.
//!
//! `cost pass-through|firewall|nat FLOWS BURSTS` prints nanoseconds per packet. Under
//! `valgrind --tool=callgrind --toggle-collect='*work*'` it counts instructions.

use std::time::Instant;

use etherparse::PacketBuilder;
use flow_table::{Clock, MonotonicClock};
use flow_table_gateway::{Config, Gateway, Packet, Side, Worker};

const BURST: usize = 64;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [variant, flows, bursts] = &arguments[..] else { panic!("VARIANT FLOWS BURSTS") };
    let (flows, bursts) = (flows.parse::<u32>().expect("a number"), bursts.parse::<usize>().expect("a number"));
    let text = match variant.as_str() {
        "pass-through" => "pass_through = true",
        "firewall" => "",
        "nat" => "nat.pool = ['203.0.113.0/24']",
        _ => panic!("no such variant"),
    };
    let limits = "limits.flows_per_source = 1000000\nlimits.flows = 4000000";
    let config: Config = format!("inside = ['10.0.0.0/8']\n{limits}\n{text}").parse().expect("a configuration");
    let (gateway, clock, mut worker) = (Gateway::new(&config), MonotonicClock::new(), Worker::new());

    let frames: Vec<_> = (0..flows).map(frame).collect();
    let mut packets = vec![Packet::new(); BURST];
    let mut next = 0usize;
    let mut fill = |packets: &mut [Packet]| {
        for packet in packets {
            packet.fill(Side::Inside, &frames[next % frames.len()]);
            next = next.wrapping_mul(5).wrapping_add(1); // Visits all, in an order that no cache guesses.
        }
    };
    for burst in frames.chunks(BURST) {
        for (packet, frame) in packets.iter_mut().zip(burst) {
            packet.fill(Side::Inside, frame);
        }
        gateway.process(&mut worker, &mut packets[..burst.len()], clock.now());
    }
    let begun = if variant == "pass-through" { 0 } else { flows as usize };
    assert_eq!(gateway.usage().table.flows, begun, "all flows have begun");

    let mut busy = std::time::Duration::ZERO;
    for _ in 0..bursts {
        fill(&mut packets);
        let start = Instant::now();
        work(&gateway, &mut worker, &mut packets, &clock);
        busy += start.elapsed();
    }
    assert!(packets.iter().all(|packet| packet.to == Some(Side::Outside)));
    println!("{:.1}", busy.as_nanos() as f64 / (bursts * BURST) as f64);
}

#[inline(never)]
fn work(gateway: &Gateway, worker: &mut Worker, packets: &mut [Packet], clock: &MonotonicClock) {
    gateway.process(worker, packets, clock.now());
}

fn frame(flow: u32) -> Vec<u8> {
    let client = [10, (flow >> 16) as u8, (flow >> 8) as u8, flow as u8];
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ipv4(client, [192, 0, 2, 1], 64).udp(5_000, 53);
    builder.write(&mut bytes, &[0; 36]).expect("memory");
    bytes
}
