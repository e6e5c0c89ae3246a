//! ICMP errors are translated with the packet that they quote, and fragments follow the first one.

mod common;

use common::{Bench, Tcp, assert_valid, echo, end, ends, tcp, time_exceeded, udp};
use flow_table_gateway::{Refusal, Side};
use rstest::rstest;

const PLAIN: &str = r#"
    inside = ["10.0.0.0/24", "fd01:203:405::/48"]
    [nat]
    pool = ["203.0.113.1"]
    [[nat66]]
    inside = "fd01:203:405::/48"
    outside = "2001:db8:1::/48"
"#;

/// The ends of the packet that an error quotes.
fn quoted(error: &[u8]) -> (std::net::SocketAddr, std::net::SocketAddr) {
    let start = if error[0] >> 4 == 4 { 28 } else { 48 };
    let inner = &error[start..];
    let (source, destination, ports) = if inner[0] >> 4 == 4 { (12, 16, 20) } else { (8, 24, 40) };
    let address = |at: usize| -> std::net::IpAddr {
        if inner[0] >> 4 == 4 {
            <[u8; 4]>::try_from(&inner[at..at + 4]).unwrap().into()
        } else {
            <[u8; 16]>::try_from(&inner[at..at + 16]).unwrap().into()
        }
    };
    let port = |at: usize| u16::from_be_bytes([inner[at], inner[at + 1]]);
    ((address(source), port(ports)).into(), (address(destination), port(ports + 2)).into())
}

#[rstest]
#[case("10.0.0.2:5000", "192.0.2.1:53", "192.0.2.254")]
#[case("[fd01:203:405:1::2]:5000", "[2001:db8:9::1]:53", "2001:db8:8::254")]
fn a_router_outside_reports_to_the_sender(#[case] client: &str, #[case] server: &str, #[case] router: &str) {
    let mut bench = Bench::new(PLAIN);
    let (client, server, router) = (end(client), end(server), router.parse().unwrap());
    let syn = tcp(client, server, Tcp { flags: "S", ..Tcp::default() });
    for packet in [udp(client, server), syn] {
        let (_, sent) = bench.pass(Side::Inside, &packet).unwrap();
        let (to, error) = bench.pass(Side::Outside, &time_exceeded(router, &sent)).expect("it comes in");
        assert_eq!(to, Side::Inside);
        assert_valid(&error);
        assert_eq!((ends(&error).0.ip(), ends(&error).1.ip()), (router, client.ip()));
        assert_eq!(quoted(&error), (client, server));
        // What the error quotes is what was sent, but for the time to live and its checksum.
        let start = if client.is_ipv4() { 28 } else { 48 };
        assert_eq!(error[start..], packet[..error.len() - start]);
    }
}

#[test]
fn an_error_about_an_echo_has_its_identifier() {
    let mut bench = Bench::new(PLAIN);
    let (client, server) = (end("10.0.0.2:77"), end("192.0.2.1:0"));
    let packet = echo(client, server);
    let (_, sent) = bench.pass(Side::Inside, &packet).unwrap();
    let (_, error) = bench.pass(Side::Outside, &time_exceeded("192.0.2.254".parse().unwrap(), &sent)).unwrap();
    assert_valid(&error);
    assert_eq!(error[28..], packet[..28], "and all checksums within are those of the packet");
}

#[test]
fn the_inside_reports_under_its_outside_address() {
    let mut bench = Bench::new(PLAIN);
    let (client, server) = (end("10.0.0.2:5000"), end("192.0.2.1:53"));
    let (outside, _) = bench.out(&udp(client, server));
    let reply = udp(server, outside);
    let (_, delivered) = bench.pass(Side::Outside, &reply).unwrap();
    for reporter in ["10.0.0.2", "10.0.0.254"] {
        let (to, error) =
            bench.pass(Side::Inside, &time_exceeded(reporter.parse().unwrap(), &delivered)).expect("it goes out");
        assert_eq!(to, Side::Outside);
        assert_valid(&error);
        assert_eq!((ends(&error).0.ip(), ends(&error).1.ip()), (outside.ip(), server.ip()));
        assert_eq!(quoted(&error), (server, outside));
    }
}

#[test]
fn errors_about_nothing_forged_or_damaged_are_dropped_and_refresh_nothing() {
    let mut bench = Bench::new(PLAIN);
    let (client, server) = (end("10.0.0.2:5000"), end("192.0.2.1:53"));
    let router = "192.0.2.254".parse().unwrap();
    let unknown = udp(end("203.0.113.1:5000"), server);
    assert!(bench.pass(Side::Outside, &time_exceeded(router, &unknown)).is_none());
    assert_eq!(bench.gateway.counters().refused(Refusal::NoFlow), 1);

    let (_, sent) = bench.pass(Side::Inside, &udp(client, server)).unwrap();
    let good = time_exceeded(router, &sent);
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(bench.pass(Side::Outside, &damaged).is_none());
    // To another host than the sender of the packet that it quotes.
    let mut forged = good.clone();
    forged[19] ^= 1;
    assert!(bench.pass(Side::Outside, &forged).is_none());
    assert_eq!(bench.gateway.counters().refused(Refusal::BadError), 2);

    bench.advance(119);
    assert!(bench.pass(Side::Outside, &good).is_some());
    bench.advance(2);
    assert!(bench.pass(Side::Outside, &good).is_none(), "RFC 5508, REQ-5");
}

/// Cuts an IPv4 packet in two behind `at` bytes of its payload, with this identification.
fn cut(packet: &[u8], at: usize, identification: u16) -> (Vec<u8>, Vec<u8>) {
    let part = |payload: &[u8], offset: usize, more: bool| {
        let mut header = etherparse::Ipv4Header::from_slice(packet).unwrap().0;
        header.identification = identification;
        header.fragment_offset = etherparse::IpFragOffset::try_new((offset / 8) as u16).unwrap();
        header.more_fragments = more;
        header.dont_fragment = false;
        header.total_len = (20 + payload.len()) as u16;
        header.header_checksum = header.calc_header_checksum();
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    };
    (part(&packet[20..20 + at], 0, true), part(&packet[20 + at..], at, false))
}

/// Puts the two parts together again.
fn join(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut header = etherparse::Ipv4Header::from_slice(first).unwrap().0;
    assert_eq!(header.header_checksum, header.calc_header_checksum());
    header.more_fragments = false;
    header.total_len = (first.len() + second.len() - 20) as u16;
    header.header_checksum = header.calc_header_checksum();
    [&header.to_bytes()[..], &first[20..], &second[20..]].concat()
}

#[test]
fn later_fragments_follow_the_first_one() {
    let mut bench = Bench::new(PLAIN);
    let (client, server) = (end("10.0.0.2:5000"), end("192.0.2.1:53"));
    let long = |source, destination| tcp(source, destination, Tcp { flags: "S", data: 100, ..Tcp::default() });
    let (first, second) = cut(&long(client, server), 64, 7);
    assert!(bench.pass(Side::Inside, &second).is_none(), "it came too early");
    let left = bench.pass_all(&[(Side::Inside, first), (Side::Inside, second.clone())]);
    let [Some((_, first)), Some((_, second_out))] = &left[..] else { panic!("{left:?}") };
    let whole = join(first, second_out);
    assert_valid(&whole);
    let (outside, _) = ends(&whole);

    let (first, last) = cut(&long(server, outside), 64, 9);
    let left = bench.pass_all(&[(Side::Outside, first), (Side::Outside, last.clone())]);
    let [Some((_, first)), Some((_, last_in))] = &left[..] else { panic!("{left:?}") };
    let whole = join(first, last_in);
    assert_valid(&whole);
    assert_eq!(ends(&whole), (server, client));

    assert!(bench.pass(Side::Inside, &last).is_none(), "from the wrong side");
    bench.advance(20);
    assert!(bench.pass(Side::Inside, &second).is_none(), "it came too late");
    bench.assert_nothing_leaks();
}

#[test]
fn fragmented_packets_are_bounded() {
    let mut bench = Bench::new(&PLAIN.replace("[nat]", "[limits]\nfragments = 5\n[nat]"));
    let packet = udp(end("10.0.0.2:5000"), end("192.0.2.1:53"));
    let passed = (0..20).filter(|id| bench.pass(Side::Inside, &cut(&packet, 8, *id).0).is_some()).count();
    assert_eq!(passed, 5);
    assert_eq!(bench.gateway.counters().refused(Refusal::Fragment), 15);
    bench.assert_nothing_leaks();
}

#[test]
fn a_fragment_that_overwrites_a_transport_header_is_dropped() {
    let mut bench = Bench::new(PLAIN);
    let packet = tcp(end("10.0.0.2:5000"), end("192.0.2.1:80"), Tcp { flags: "S", ..Tcp::default() });
    let (tiny, second) = cut(&packet, 8, 3);
    assert!(bench.pass(Side::Inside, &tiny).is_none());
    assert!(bench.pass(Side::Inside, &second).is_none());
    assert_eq!(bench.gateway.counters().refused(Refusal::Malformed), 2, "RFC 3128");
}
