//! Packets for tests, made and checked by `etherparse`, so not by the code under test.
#![allow(dead_code, reason = "each test uses its part")]

use std::net::{IpAddr, SocketAddr};

use etherparse::{Ipv6Header, NetSlice, PacketBuilder, PacketBuilderStep, SlicedPacket, TransportSlice};
use flow_table::Timestamp;
use flow_table_gateway::{Config, Gateway, Packet, Side, Worker};

pub fn end(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

fn ip(source: SocketAddr, destination: SocketAddr) -> PacketBuilderStep<etherparse::IpHeaders> {
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => PacketBuilder::ip(etherparse::IpHeaders::Ipv4(
            etherparse::Ipv4Header::new(0, 64, 0.into(), source.octets(), destination.octets()).unwrap(),
            etherparse::Ipv4Extensions::default(),
        )),
        (IpAddr::V6(source), IpAddr::V6(destination)) => PacketBuilder::ip(etherparse::IpHeaders::Ipv6(
            Ipv6Header {
                source: source.octets(),
                destination: destination.octets(),
                hop_limit: 64,
                ..Ipv6Header::default()
            },
            etherparse::Ipv6Extensions::default(),
        )),
        _ => panic!("one family"),
    }
}

pub fn udp(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::new();
    ip(source, destination).udp(source.port(), destination.port()).write(&mut bytes, b"payload").unwrap();
    bytes
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp {
    pub flags: &'static str,
    pub sequence: u32,
    pub acknowledged: u32,
    pub data: usize,
}

pub fn tcp(source: SocketAddr, destination: SocketAddr, tcp: Tcp) -> Vec<u8> {
    let mut step = ip(source, destination).tcp(source.port(), destination.port(), tcp.sequence, 1_000);
    for flag in tcp.flags.chars() {
        step = match flag {
            'S' => step.syn(),
            'A' => step.ack(tcp.acknowledged),
            'F' => step.fin(),
            'R' => step.rst(),
            _ => panic!("{flag}"),
        };
    }
    let mut bytes = Vec::new();
    step.write(&mut bytes, &vec![b'x'; tcp.data]).unwrap();
    bytes
}

/// An echo: a request if `source` has a port, which is the identifier, else a reply.
pub fn echo(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let (is_request, id) = (destination.port() == 0, source.port().max(destination.port()));
    let mut bytes = Vec::new();
    let step = ip(source, destination);
    match (source.is_ipv4(), is_request) {
        (true, true) => step.icmpv4_echo_request(id, 7).write(&mut bytes, b"ping").unwrap(),
        (true, false) => step.icmpv4_echo_reply(id, 7).write(&mut bytes, b"ping").unwrap(),
        (false, true) => step.icmpv6_echo_request(id, 7).write(&mut bytes, b"ping").unwrap(),
        (false, false) => step.icmpv6_echo_reply(id, 7).write(&mut bytes, b"ping").unwrap(),
    }
    bytes
}

/// The error of a router or host `reporter` about `packet`: time exceeded.
pub fn time_exceeded(reporter: IpAddr, packet: &[u8]) -> Vec<u8> {
    let about = ends(packet);
    let quoted = &packet[..packet.len().min(if reporter.is_ipv4() { 28 } else { 48 })];
    let step = ip(SocketAddr::new(reporter, 0), SocketAddr::new(about.0.ip(), 0));
    let mut bytes = Vec::new();
    if reporter.is_ipv4() {
        step.icmpv4(etherparse::Icmpv4Type::TimeExceeded(
            etherparse::icmpv4::TimeExceededCode::TtlExceededInTransit,
        ))
        .write(&mut bytes, quoted)
        .unwrap();
    } else {
        step.icmpv6(etherparse::Icmpv6Type::TimeExceeded(etherparse::icmpv6::TimeExceededCode::HopLimitExceeded))
            .write(&mut bytes, quoted)
            .unwrap();
    }
    bytes
}

/// A packet of a protocol without ports: GRE.
pub fn gre(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::new();
    ip(source, destination).write(&mut bytes, 47.into(), b"tunnelled").unwrap();
    bytes
}

/// Source and destination of a packet. The identifier of an echo is the port of the host that asks.
pub fn ends(bytes: &[u8]) -> (SocketAddr, SocketAddr) {
    let packet = SlicedPacket::from_ip(bytes).expect("a packet");
    let (source, destination): (IpAddr, IpAddr) = match packet.net.expect("IP") {
        NetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        NetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        _ => panic!("not IP"),
    };
    let (from, to) = match packet.transport {
        Some(TransportSlice::Tcp(tcp)) => (tcp.source_port(), tcp.destination_port()),
        Some(TransportSlice::Udp(udp)) => (udp.source_port(), udp.destination_port()),
        Some(TransportSlice::Icmpv4(icmp)) => match icmp.icmp_type() {
            etherparse::Icmpv4Type::EchoRequest(echo) => (echo.id, 0),
            etherparse::Icmpv4Type::EchoReply(echo) => (0, echo.id),
            _ => (0, 0),
        },
        Some(TransportSlice::Icmpv6(icmp)) => match icmp.icmp_type() {
            etherparse::Icmpv6Type::EchoRequest(echo) => (echo.id, 0),
            etherparse::Icmpv6Type::EchoReply(echo) => (0, echo.id),
            _ => (0, 0),
        },
        _ => (0, 0),
    };
    (SocketAddr::new(source, from), SocketAddr::new(destination, to))
}

/// Checks all checksums of a packet that is no fragment.
pub fn assert_valid(bytes: &[u8]) {
    let packet = SlicedPacket::from_ip(bytes).expect("a packet");
    match (packet.net.expect("IP"), packet.transport) {
        (NetSlice::Ipv4(ip), transport) => {
            let header = ip.header().to_header();
            assert_eq!(header.header_checksum, header.calc_header_checksum());
            match transport {
                Some(TransportSlice::Tcp(tcp)) => {
                    assert_eq!(Ok(tcp.checksum()), tcp.calc_checksum_ipv4(header.source, header.destination));
                }
                Some(TransportSlice::Udp(udp)) => {
                    let sum = udp.to_header().calc_checksum_ipv4(&header, udp.payload());
                    assert!(udp.checksum() == 0 || Ok(udp.checksum()) == sum);
                }
                Some(TransportSlice::Icmpv4(icmp)) => {
                    assert_eq!(icmp.checksum(), icmp.icmp_type().calc_checksum(icmp.payload()));
                }
                _ => {}
            }
        }
        (NetSlice::Ipv6(ip), transport) => {
            let header = ip.header().to_header();
            match transport {
                Some(TransportSlice::Tcp(tcp)) => {
                    assert_eq!(Ok(tcp.checksum()), tcp.calc_checksum_ipv6(header.source, header.destination));
                }
                Some(TransportSlice::Udp(udp)) => {
                    assert_eq!(Ok(udp.checksum()), udp.to_header().calc_checksum_ipv6(&header, udp.payload()));
                }
                Some(TransportSlice::Icmpv6(icmp)) => {
                    assert!(icmp.is_checksum_valid(header.source, header.destination));
                }
                _ => {}
            }
        }
        _ => panic!("not IP"),
    }
}

/// A gateway, and the time.
pub struct Bench {
    pub gateway: Gateway,
    pub worker: Worker,
    pub now: Timestamp,
}

impl Bench {
    pub fn new(config: &str) -> Self {
        let config: Config = config.parse().unwrap_or_else(|error| panic!("{error}"));
        let now = Timestamp::from_secs(1_000);
        Self { gateway: Gateway::new(&config), worker: Worker::new(), now }
    }

    /// Passes one packet. Returns where it left, and how.
    pub fn pass(&mut self, from: Side, bytes: &[u8]) -> Option<(Side, Vec<u8>)> {
        self.pass_all(&[(from, bytes.to_vec())]).pop().expect("one packet")
    }

    /// Passes packets in one burst.
    pub fn pass_all(&mut self, packets: &[(Side, Vec<u8>)]) -> Vec<Option<(Side, Vec<u8>)>> {
        let packet = |(side, bytes): &(Side, Vec<u8>)| Packet::from_bytes(*side, bytes);
        let mut packets: Vec<_> = packets.iter().map(packet).collect();
        self.gateway.process(&mut self.worker, &mut packets, self.now);
        packets.iter().map(|packet| packet.to.map(|to| (to, packet.data().to_vec()))).collect()
    }

    /// Passes a packet from the inside that must go out. Returns its ends there.
    pub fn out(&mut self, bytes: &[u8]) -> (SocketAddr, SocketAddr) {
        let (to, packet) = self.pass(Side::Inside, bytes).expect("it goes out");
        assert_eq!(to, Side::Outside);
        assert_valid(&packet);
        ends(&packet)
    }

    /// Passes a packet from the outside that must come in. Returns its ends there.
    pub fn back(&mut self, bytes: &[u8]) -> (SocketAddr, SocketAddr) {
        let (to, packet) = self.pass(Side::Outside, bytes).expect("it comes in");
        assert_eq!(to, Side::Inside);
        assert_valid(&packet);
        ends(&packet)
    }

    pub fn advance(&mut self, seconds: u64) {
        self.now += std::time::Duration::from_secs(seconds);
    }

    /// Reaps all that is due.
    pub fn reap(&self) {
        while self.gateway.reap(self.now, flow_table::Budget::UNLIMITED) {}
    }

    /// After all timeouts nothing may be left.
    pub fn assert_nothing_leaks(&mut self) {
        // Fragments hold flows, flows hold mappings and sources: each has to go first.
        for _ in 0..4 {
            self.advance(100_000);
            self.reap();
        }
        let usage = self.gateway.usage();
        assert_eq!((usage.table.flows, usage.ports, usage.fragments), (0, 0, 0), "{usage:?}");
    }
}
