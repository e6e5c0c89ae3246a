//! Random traffic against a small model of what a NAT may and must let pass, and random bytes against the rule
//! that nothing comes in that the inside has not asked for.

mod common;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use common::{Bench, Tcp, assert_valid, echo, end, ends, tcp, time_exceeded, udp};
use etherparse::{NetSlice, SlicedPacket};
use flow_table::Timestamp;
use flow_table_gateway::{Refusal, Side};
use proptest::prelude::*;

/// Few of everything, so that ports, flows and the places of sources run out.
const CONFIG: &str = r#"
    inside = ["10.0.0.0/24"]
    [nat]
    pool = ["203.0.113.1-203.0.113.2"]
    ports = "2000-2005"
    [[nat.forward]]
    protocol = "tcp"
    outside = "203.0.113.1:80"
    to = "10.0.0.5:8080"
    [limits]
    flows = 24
    flows_per_source = 8
    fragments = 4
    [timeouts]
    udp = 300
    udp_unreplied = 120
    icmp = 60
    tcp = { opening = 200, established = 200, closing = 200, closed = 200 }
"#;
const FORWARDED: &str = "203.0.113.1:80";
const FORWARD_HOST: &str = "10.0.0.5:8080";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Udp,
    Echo,
    Tcp(&'static str),
}

impl Kind {
    fn protocol(self) -> u8 {
        match self {
            Self::Udp => 17,
            Self::Echo => 1,
            Self::Tcp(_) => 6,
        }
    }

    fn packet(self, source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
        match self {
            Self::Udp => udp(source, destination),
            Self::Echo => echo(source, destination),
            Self::Tcp(flags) => tcp(source, destination, Tcp { flags, ..Tcp::default() }),
        }
    }

    fn can_begin(self) -> bool {
        matches!(self, Self::Udp | Self::Echo | Self::Tcp("S"))
    }
}

#[derive(Clone, Debug)]
enum Step {
    Out {
        kind: Kind,
        client: u8,
        port: u16,
        server: u8,
    },
    /// To an outside end that was seen, or to any.
    In {
        kind: Kind,
        server: u8,
        end: usize,
        address: u8,
        port: u16,
    },
    Advance(u64),
    Reap,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Udp),
        Just(Kind::Echo),
        proptest::sample::select(vec!["S", "SA", "A", "A", "S"]).prop_map(Kind::Tcp)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (kind(), 1u8..5, 1u16..4, 1u8..4)
            .prop_map(|(kind, client, port, server)| Step::Out { kind, client, port, server }),
        5 => (kind(), 1u8..4, any::<usize>(), 1u8..4, prop_oneof![Just(80), 2000u16..2007])
            .prop_map(|(kind, server, end, address, port)| Step::In { kind, server, end, address, port }),
        1 => (1u64..150).prop_map(Step::Advance),
        1 => Just(Step::Reap),
    ]
}

/// A session, as the hosts know it.
#[derive(Clone, Copy, Debug)]
struct Session {
    inside: SocketAddr,
    last: Timestamp,
    timeout: u64,
    begun_by: Side,
}

impl Session {
    fn idle(&self, now: Timestamp) -> u64 {
        (now - self.last).as_secs()
    }
}

#[derive(Default)]
struct Model {
    /// By protocol, outside end and server.
    sessions: HashMap<(u8, SocketAddr, SocketAddr), Session>,
    ends: Vec<SocketAddr>,
}

impl Model {
    /// Sessions that are live beyond doubt. The slack of refreshes makes the last second doubtful.
    fn live(&self, now: Timestamp) -> impl Iterator<Item = (&(u8, SocketAddr, SocketAddr), &Session)> {
        self.sessions.iter().filter(move |(_, session)| session.idle(now) < session.timeout)
    }

    fn packet(
        &mut self,
        kind: Kind,
        key: (SocketAddr, SocketAddr),
        from: Side,
        inside: SocketAddr,
        now: Timestamp,
    ) {
        let key = (kind.protocol(), key.0, key.1);
        let fresh = Session { inside, last: now, timeout: 0, begun_by: from };
        let session = self.sessions.entry(key).or_insert(fresh);
        if session.idle(now) > session.timeout && session.timeout > 0 {
            *session = fresh;
        }
        session.last = now;
        session.timeout = match kind {
            Kind::Echo => 60,
            Kind::Tcp(_) => 200,
            Kind::Udp if from != session.begun_by => 300,
            Kind::Udp => session.timeout.max(120),
        };
        self.ends.push(key.1);
    }
}

fn client_end(kind: Kind, client: u8, port: u16) -> SocketAddr {
    let port = if kind == Kind::Echo { port } else { port + 5_000 };
    end(&format!("10.0.0.{client}:{port}"))
}

fn server_end(kind: Kind, server: u8) -> SocketAddr {
    end(&format!("192.0.2.{server}:{}", if kind == Kind::Echo { 0 } else { 80 }))
}

fn limits(bench: &Bench) -> u64 {
    let counters = bench.gateway.counters();
    let of = [Refusal::TableFull, Refusal::SourceLimit, Refusal::PortsExhausted];
    of.into_iter().map(|refusal| counters.refused(refusal)).sum()
}

fn run(steps: Vec<Step>) {
    let mut bench = Bench::new(CONFIG);
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Advance(seconds) => bench.advance(seconds),
            Step::Reap => bench.reap(),
            Step::Out { kind, client, port, server } => out(&mut bench, &mut model, kind, client, port, server),
            Step::In { kind, server, end: index, address, port } => {
                let any = end(&format!("203.0.113.{address}:{port}"));
                let to = model.ends.get(index % (model.ends.len() + 1)).copied().unwrap_or(any);
                back(&mut bench, &mut model, kind, server, to);
            }
        }
        let usage = bench.gateway.usage();
        assert!(usage.table.flows <= 24 && usage.ports <= 12 + 24);
    }
    bench.assert_nothing_leaks();
}

fn out(bench: &mut Bench, model: &mut Model, kind: Kind, client: u8, port: u16, server: u8) {
    let (client, server, now) = (client_end(kind, client, port), server_end(kind, server), bench.now);
    let before = limits(bench);
    let is_known =
        model.live(now).any(|(key, session)| (key.0, session.inside, key.2) == (kind.protocol(), client, server));
    match bench.pass(Side::Inside, &kind.packet(client, server)) {
        Some((Side::Outside, packet)) => {
            assert_valid(&packet);
            let (outside, to) = ends(&packet);
            assert_eq!(to, server);
            assert!(["203.0.113.1", "203.0.113.2"].contains(&outside.ip().to_string().as_str()));
            assert!(kind == Kind::Echo || (2000..=2005).contains(&outside.port()), "{outside}");
            for (key, session) in model.live(now).filter(|(key, _)| key.0 == kind.protocol()) {
                assert_eq!(key.1 == outside, session.inside == client, "one outside end for one inside end");
                if session.inside.ip() == client.ip() {
                    assert_eq!(key.1.ip(), outside.ip(), "paired");
                }
            }
            model.packet(kind, (outside, server), Side::Inside, client, now);
        }
        Some((Side::Inside, answer)) => {
            assert_valid(&answer);
            assert!(!is_known && limits(bench) > before, "a live session was refused");
        }
        None => {
            assert!(!is_known, "a live session was dropped");
            assert!(!kind.can_begin() || limits(bench) > before, "refused without a limit");
        }
    }
}

fn back(bench: &mut Bench, model: &mut Model, kind: Kind, server: u8, to: SocketAddr) {
    let (server, now) = (server_end(kind, server), bench.now);
    let before = limits(bench);
    let session = model.sessions.get(&(kind.protocol(), to, server)).copied();
    let may_begin = kind == Kind::Tcp("S") && to == end(FORWARDED);
    match bench.pass(Side::Outside, &kind.packet(server, to)) {
        Some((side, packet)) => {
            assert_eq!(side, Side::Inside);
            assert_valid(&packet);
            let known = session.filter(|session| session.idle(now) <= session.timeout);
            let inside = known.map(|session| session.inside).or(may_begin.then(|| end(FORWARD_HOST)));
            assert_eq!(Some(ends(&packet)), inside.map(|inside| (server, inside)), "unsolicited");
            model.packet(kind, (to, server), Side::Outside, inside.unwrap(), now);
        }
        None => {
            assert!(session.is_none_or(|session| session.idle(now) >= session.timeout), "a reply was dropped");
            assert!(!may_begin || limits(bench) > before, "refused without a limit");
        }
    }
}

/// A packet, and bytes of it that are overwritten.
#[derive(Clone, Debug)]
struct Junk {
    side: Side,
    step: Step,
    is_error: bool,
    writes: Vec<(u8, u8)>,
    len: Option<u8>,
    noise: Option<Vec<u8>>,
}

fn junk() -> impl Strategy<Value = Junk> {
    (
        prop_oneof![Just(Side::Inside), Just(Side::Outside)],
        step(),
        any::<bool>(),
        proptest::collection::vec((0u8..64, any::<u8>()), 0..4),
        proptest::option::weighted(0.1, 0u8..80),
        proptest::option::weighted(0.1, proptest::collection::vec(any::<u8>(), 0..100)),
    )
        .prop_map(|(side, step, is_error, writes, len, noise)| Junk {
            side,
            step,
            is_error,
            writes,
            len,
            noise,
        })
}

impl Junk {
    fn bytes(&self, seen: &[SocketAddr]) -> Vec<u8> {
        if let Some(noise) = &self.noise {
            return noise.clone();
        }
        let (source, destination, kind) = match self.step {
            Step::Out { kind, client, port, server } => {
                (client_end(kind, client, port), server_end(kind, server), kind)
            }
            Step::In { kind, server, end: index, address, port } => {
                let any = end(&format!("203.0.113.{address}:{port}"));
                (server_end(kind, server), *seen.get(index % (seen.len() + 1)).unwrap_or(&any), kind)
            }
            Step::Advance(_) | Step::Reap => return Vec::new(),
        };
        let mut bytes = if self.is_error {
            time_exceeded(source.ip(), &kind.packet(destination, source))
        } else {
            kind.packet(source, destination)
        };
        for (at, value) in &self.writes {
            if let Some(byte) = bytes.get_mut(usize::from(*at)) {
                *byte = *value;
            }
        }
        bytes.truncate(self.len.map_or(usize::MAX, usize::from));
        bytes
    }
}

fn addresses(bytes: &[u8]) -> Option<(std::net::IpAddr, std::net::IpAddr)> {
    match SlicedPacket::from_ip(bytes).ok()?.net? {
        NetSlice::Ipv4(ip) => Some((ip.header().source_addr().into(), ip.header().destination_addr().into())),
        NetSlice::Ipv6(ip) => Some((ip.header().source_addr().into(), ip.header().destination_addr().into())),
        _ => None,
    }
}

/// Any bytes from both sides: no panic, no leak, and nothing unsolicited comes in.
fn fuzz(packets: Vec<Junk>) {
    let mut bench = Bench::new(CONFIG);
    let (mut asked, mut seen) = (HashSet::new(), Vec::new());
    for junk in packets {
        if let Step::Advance(seconds) = junk.step {
            bench.advance(seconds);
        }
        let bytes = junk.bytes(&seen);
        let Some((to, packet)) = bench.pass(junk.side, &bytes) else { continue };
        let (before, after) = (addresses(&bytes), addresses(&packet));
        match (junk.side, to, before, after) {
            (Side::Inside, Side::Outside, _, Some((outside, server))) => {
                asked.insert((outside, server));
                if let Ok(end) = std::panic::catch_unwind(|| ends(&packet).0) {
                    seen.push(end);
                }
            }
            (Side::Outside, Side::Inside, Some((server, outside)), Some((_, inside))) => {
                let is_forward = outside == end(FORWARDED).ip() && inside == end(FORWARD_HOST).ip();
                let message = &bytes[usize::from(bytes[0] & 15) * 4..];
                let is_error = bytes[9] == 1 && [3, 4, 11, 12].contains(&message[0]) && {
                    let address = |at: usize| <[u8; 4]>::try_from(&message[8 + at..12 + at]).unwrap().into();
                    asked.contains(&(address(12), address(16))) || address(12) == end(FORWARDED).ip()
                };
                let is_answer = asked.contains(&(outside, server));
                assert!(is_answer || is_forward || is_error, "unsolicited: {bytes:02x?}");
            }
            (Side::Inside, Side::Inside, ..) | (.., None) => {}
            other => panic!("{other:?}"),
        }
    }
    bench.assert_nothing_leaks();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn traffic_passes_as_the_model_says(steps in proptest::collection::vec(step(), 1..80)) {
        run(steps);
    }

    #[test]
    fn no_bytes_panic_leak_or_come_in_unasked(packets in proptest::collection::vec(junk(), 1..80)) {
        fuzz(packets);
    }
}
