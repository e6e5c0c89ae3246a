//! Opens TCP connections at a steady rate, and says of each one whether it was served to its end: what a failover
//! must not disturb.
//!
//! `steady_connections serve PORT` answers. `steady_connections run HOST:PORT RATE SECONDS` opens RATE connections
//! a second. Each carries a byte there and back, waits for 200 ms, carries another one, and is closed. For each it
//! prints the time when it began and when it ended, in nanoseconds since 1970, and `served` or what went wrong.
//! `steady_connections ages FILE TIME` sums up such lines: of the connections that were open at TIME, how many
//! failed, by their age at that time.

use std::io::{self, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// For how long a connection is silent.
const SILENCE: Duration = Duration::from_millis(200);

/// After this long a connection has failed.
const PATIENCE: Duration = Duration::from_secs(15);

fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", port] => serve(port.parse().expect("a port")),
        ["run", server, rate, seconds] => {
            let server = server.parse().expect("an address");
            run(server, rate.parse().expect("a rate"), seconds.parse().expect("seconds"))
        }
        ["ages", file, time] => {
            ages(&std::fs::read_to_string(file)?, time.parse().expect("nanoseconds"));
            Ok(())
        }
        _ => panic!("serve PORT, run HOST:PORT RATE SECONDS, or ages FILE TIME"),
    }
}

fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))?;
    for mut stream in listener.incoming().flatten() {
        thread::Builder::new().stack_size(64 << 10).spawn(move || {
            let mut byte = [0];
            // A client that goes away is none of the server's business.
            while stream.read(&mut byte).is_ok_and(|len| len > 0) && stream.write_all(&byte).is_ok() {}
        })?;
    }
    Ok(())
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

fn run(server: SocketAddr, rate: u32, seconds: u32) -> io::Result<()> {
    let start = Instant::now();
    let clients: Vec<_> = (0..rate * seconds)
        .map(|number| {
            let due = Duration::from_secs(1) * number / rate;
            thread::sleep(due.saturating_sub(start.elapsed()));
            thread::Builder::new().stack_size(64 << 10).spawn(move || {
                let began = now();
                let outcome = once(server);
                (began, now(), outcome)
            })
        })
        .collect::<io::Result<_>>()?;
    let mut out = io::stdout().lock();
    for client in clients {
        let (began, ended, outcome) = client.join().expect("it does not panic");
        match outcome {
            Ok(()) => writeln!(out, "{began} {ended} served")?,
            Err(error) => writeln!(out, "{began} {ended} {:?}", error.kind())?,
        }
    }
    Ok(())
}

fn once(server: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    for byte in [7, 8] {
        let mut back = [0];
        stream.write_all(&[byte])?;
        stream.read_exact(&mut back)?;
        if back != [byte] {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if byte == 7 {
            thread::sleep(SILENCE);
        }
    }
    Ok(())
}

/// Prints a line for each range of ages.
fn ages(lines: &str, time: u128) {
    let mut connections = Vec::new();
    for line in lines.lines() {
        let mut words = line.split(' ');
        let mut number = || words.next().and_then(|word| word.parse::<u128>().ok());
        if let (Some(began), Some(ended)) = (number(), number()) {
            connections.push((began, ended, line.ends_with(" served")));
        }
    }
    let report = |what: &str, chosen: &dyn Fn(u128, u128) -> bool| {
        let of: Vec<_> = connections.iter().filter(|(began, ended, _)| chosen(*began, *ended)).collect();
        let failed = of.iter().filter(|(_, _, served)| !served).count();
        println!("  {what}: {failed} of {} failed", of.len());
    };
    let was_open = |began: u128, ended: u128| began <= time && time < ended;
    for (from, to) in [(0, 2), (2, 5), (5, 10), (10, 50), (50, 100_000)] {
        let range = from * 1_000_000..to * 1_000_000;
        let name = if to > 1_000 { format!("{from} ms old or more") } else { format!("{from} to {to} ms old") };
        report(&name, &|began, ended| was_open(began, ended) && range.contains(&(time - began)));
    }
    report("begun later", &|began, _| began > time);
    report("all", &|_, _| true);
}
