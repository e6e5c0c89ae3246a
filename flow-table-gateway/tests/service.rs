//! A worker between wires in memory, and the program's arguments. What needs devices is tested by `scripts/netns`.
#![cfg(target_os = "linux")]

mod common;

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{end, ends, udp};
use flow_table::MonotonicClock;
use flow_table_gateway::{Gateway, Side, memory_pair, work};

#[test]
fn a_worker_passes_packets_until_it_is_stopped_and_then_those_that_wait() {
    let gateway = Gateway::new(&"inside = ['10.0.0.0/24']\nnat.pool = ['203.0.113.1']".parse().unwrap());
    let (mut io, wires) = memory_pair();
    let stop = AtomicBool::new(false);
    let (client, server) = (end("10.0.0.2:5000"), end("192.0.2.1:53"));
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| work(&gateway, &mut io, &MonotonicClock::new(), &stop));
        wires.send(Side::Inside, udp(client, server));
        let start = Instant::now();
        let (side, out) = loop {
            match wires.recv() {
                Some(out) => break out,
                None => assert!(start.elapsed() < Duration::from_secs(20), "nothing came out"),
            }
        };
        assert_eq!((side, ends(&out).1), (Side::Outside, server));
        for _ in 0..1_000 {
            wires.send(Side::Outside, udp(server, ends(&out).0));
        }
        stop.store(true, Ordering::Relaxed);
        worker.join().unwrap().unwrap();
    });
    let delivered = std::iter::from_fn(|| wires.recv()).filter(|(side, _)| *side == Side::Inside).count();
    assert_eq!(delivered, 1_000, "those that waited");
}

#[test]
fn the_program_tells_what_is_wrong() {
    let folder = std::env::temp_dir().join(format!("flow-table-gateway-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (good, bad) = (folder.join("good.toml"), folder.join("bad.toml"));
    std::fs::write(&good, "inside = ['10.0.0.0/24']").unwrap();
    std::fs::write(&bad, "inside = ['10.0.0.0/24']\nnat.pool = ['10.0.0.9']").unwrap();
    let check = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_flow-table-gateway")).args(arguments).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(check(&["check", "--config", good.to_str().unwrap()]), (true, String::new()));
    let (ok, error) = check(&["check", "--config", bad.to_str().unwrap()]);
    assert_eq!((ok, error.as_str()), (false, "error: 10.0.0.9 is in the pool and on the inside\n"));
    let (ok, error) = check(&["show", "stats", "--socket", folder.join("none").to_str().unwrap()]);
    assert!(!ok && error.contains("no gateway answers at"), "{error}");
    std::fs::remove_dir_all(&folder).unwrap();
}
