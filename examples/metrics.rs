//! Serves what a table does as Prometheus text. `docs/grafana.json` is a dashboard for it.
//!
//! `cargo run --release --features metrics --example metrics -- 127.0.0.1:9100` serves until it is ended. Without
//! an address, it takes a free port, asks itself once, and ends.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use std::{env, thread};

use flow_table::{Flow, FlowTable, Monitor, NewFlow, Table, Timestamp};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

const CAPACITY: u32 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    // The recorder comes first: a monitor registers its metrics with the one that is installed.
    let recorder = PrometheusBuilder::new().install_recorder()?;
    let table = Arc::new(FlowTable::<u32, ()>::new(CAPACITY as usize));
    packets(&table);
    let mut monitor = Monitor::new("nat");
    monitor.observe(&*table);
    let _monitor = monitor.spawn(&table, Duration::from_secs(5))?;

    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0"))?;
    println!("http://{}/metrics", listener.local_addr()?);
    if address.is_some() {
        return Ok(serve(&listener, &recorder, usize::MAX)?);
    }
    let text = thread::scope(|scope| {
        scope.spawn(|| serve(&listener, &recorder, 1));
        ask(&listener)
    })?;
    println!("{text}");
    for line in [
        r#"flow_table_flows{table="nat"} 90"#,
        r#"flow_table_capacity_flows{table="nat"} 100"#,
        r#"flow_table_inserts_total{table="nat"} 100"#,
        r#"flow_table_refusals_total{table="nat"} 1"#,
        r#"flow_table_ended_total{table="nat",reason="removed"} 10"#,
    ] {
        assert!(text.contains(line), "{line}");
    }
    Ok(())
}

/// Stands for a dataplane: fills the table, is refused once, and removes some flows.
fn packets(table: &FlowTable<u32, ()>) {
    for key in 0..CAPACITY {
        let inserted = table.insert(NewFlow::new(key, ()), Timestamp::ZERO).expect("the table has room");
        assert!(inserted.flow.refresh(Timestamp::ZERO));
    }
    assert!(table.insert(NewFlow::new(CAPACITY, ()), Timestamp::ZERO).is_err());
    assert_eq!((0..10).filter(|key| table.remove(key).is_some()).count(), 10);
}

/// Answers every request with all metrics. A client that fails is left alone.
fn serve(listener: &TcpListener, recorder: &PrometheusHandle, requests: usize) -> io::Result<()> {
    for stream in listener.incoming().take(requests) {
        if let Err(error) = answer(stream?, &recorder.render()) {
            eprintln!("a client: {error}");
        }
    }
    Ok(())
}

fn answer(stream: TcpStream, text: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let request = BufReader::new((&stream).take(8_192));
    // The request's head ends with an empty line.
    for line in request.lines() {
        if line?.is_empty() {
            break;
        }
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close";
    write!(&stream, "{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

fn ask(listener: &TcpListener) -> io::Result<String> {
    let mut stream = TcpStream::connect(listener.local_addr()?)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
