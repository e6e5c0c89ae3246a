use std::io::{self, ErrorKind, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How to reach a collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    /// In datagrams or in a stream.
    pub transport: Transport,
    /// Host and port.
    pub address: String,
}

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Each message in a datagram. Datagrams may be lost on the way without a trace.
    Udp,
    /// One after the other. A slow collector slows the program down.
    Tcp,
}

/// Datagrams that the system did not take.
#[derive(Clone, Debug, Default)]
pub struct Lost(Arc<AtomicU64>);

impl Lost {
    /// Their number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Collector {
    /// The collector with a name such as `udp://127.0.0.1:4739`.
    pub fn of(name: &str) -> Option<Self> {
        let (scheme, address) = name.split_once("://")?;
        let transport = match scheme {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            _ => return None,
        };
        Some(Self { transport, address: address.to_owned() })
    }

    /// Connects to it.
    ///
    /// # Errors
    ///
    /// Returns the error of the system.
    pub fn connect(&self, lost: &Lost) -> io::Result<Box<dyn Write>> {
        match self.transport {
            Transport::Tcp => Ok(Box::new(TcpStream::connect(&self.address)?)),
            Transport::Udp => {
                let any = |address: &str| UdpSocket::bind(address);
                let socket = any("[::]:0").or_else(|_| any("0.0.0.0:0"))?;
                let socket = match socket.connect(&self.address) {
                    Ok(()) => socket,
                    // An address of IPv4 only.
                    Err(_) => {
                        let socket = any("0.0.0.0:0")?;
                        socket.connect(&self.address)?;
                        socket
                    }
                };
                Ok(Box::new(Datagrams { socket, lost: lost.clone() }))
            }
        }
    }
}

struct Datagrams {
    socket: UdpSocket,
    lost: Lost,
}

impl Write for Datagrams {
    /// Sends one message. What the system cannot send is counted and does not end the export.
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        // An answer that nobody listens is reported by the next call, which has not sent anything then.
        for _ in 0..2 {
            match self.socket.send(message) {
                Ok(_) => return Ok(message.len()),
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(_) => break,
            }
        }
        self.lost.0.fetch_add(1, Ordering::Relaxed);
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
