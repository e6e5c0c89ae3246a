//! Opens, uses and closes TCP connections as fast as it can: what a gateway has to do most for.
//!
//! `connection_rate serve PORT` answers, and `connection_rate run HOST:PORT SECONDS` prints complete connections a
//! second. Each connection carries one byte there and one back, and the client resets it, so that it does not run
//! out of ports.

use std::io::{self, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const THREADS: usize = 8;

fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", port] => serve(port.parse().expect("a port")),
        ["run", server, seconds] => {
            run(server.parse().expect("an address"), Duration::from_secs(seconds.parse().expect("seconds")));
            Ok(())
        }
        _ => panic!("serve PORT, or run HOST:PORT SECONDS"),
    }
}

fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))?;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for stream in listener.incoming().flatten() {
                    // A client that goes away is none of the server's business.
                    let _ = answer(stream);
                }
            });
        }
    });
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut byte = [0];
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.read_exact(&mut byte)?;
    stream.write_all(&byte)?;
    // Until the client has gone.
    while stream.read(&mut byte)? > 0 {}
    Ok(())
}

fn run(server: SocketAddr, time: Duration) {
    let (complete, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while start.elapsed() < time {
                    let counter = if once(server).is_ok() { &complete } else { &failed };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let rate = complete.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    println!("{rate:.0}");
    eprintln!("{} failed", failed.load(Ordering::Relaxed));
}

fn once(server: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&server, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"1")?;
    stream.read_exact(&mut [0])?;
    // Closed while data is unread: the system sends a reset.
    Ok(())
}
