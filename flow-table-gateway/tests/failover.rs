//! A gateway fails, and the one that has followed it goes on with its flows.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Tcp, assert_valid, end, ends, tcp, udp};
use flow_table::{Budget, Clock, Flow, ManualClock, Table, Timestamp};
use flow_table_gateway::{Config, Member, Membership, Packet, Phase, Refusal, Side, Worker};
use flow_table_replicate::cluster::{MemoryRegistry, NodeId};
use flow_table_replicate::transport::MemoryTransport;
use flow_table_replicate::{ClusterKey, Settings};

const CONFIG: &str = r#"
    inside = ["10.0.0.0/24"]
    limits.flows = 10000
    [nat]
    pool = ["203.0.113.1"]
    [[nat.forward]]
    protocol = "tcp"
    outside = "203.0.113.1:80"
    to = "10.0.0.5:8080"
"#;
const LIMIT: Duration = Duration::from_secs(10);

struct Pair {
    log: MemoryTransport,
    registry: MemoryRegistry,
    config: Config,
    clock: Arc<ManualClock>,
}

impl Pair {
    fn new(config: &str) -> Self {
        Self {
            log: MemoryTransport::new(64 << 20),
            registry: MemoryRegistry::default(),
            config: config.parse().unwrap(),
            clock: Arc::new(ManualClock::new(Timestamp::from_secs(1_000))),
        }
    }

    fn member(&self, node: u64) -> Member {
        let membership = Membership {
            node: NodeId(node),
            settings: Settings::new(ClusterKey::new(*b"from the secrets")),
            sink: Box::new(self.log.sink()),
            source: Box::new(self.log.source()),
            registry: Box::new(self.registry.clone()),
        };
        Member::start(&self.config, membership, self.clock.clone()).unwrap()
    }

    fn pass(&self, member: &Member, from: Side, bytes: &[u8]) -> Option<(Side, Vec<u8>)> {
        let mut packets = [Packet::from_bytes(from, bytes)];
        member.gateway().process(&mut Worker::new(), &mut packets, self.clock.now());
        let [packet] = packets;
        let to = packet.to?;
        assert_valid(packet.data());
        Some((to, packet.data().to_vec()))
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn segment(flags: &'static str, sequence: u32, acknowledged: u32) -> Tcp {
    Tcp { flags, sequence, acknowledged, data: 0 }
}

#[test]
fn flows_ports_and_places_go_on_at_the_standby() {
    for mapping in ["endpoint-independent", "address-and-port-dependent"] {
        let config = CONFIG.replace("[nat]", &format!("[nat]\nmapping = \"{mapping}\"\nports = \"2000-2255\""));
        let pair = Pair::new(&config);
        let (active, standby) = (pair.member(1), pair.member(2));
        assert!(pair.pass(&active, Side::Inside, &udp(end("10.0.0.2:1"), end("192.0.2.1:53"))).is_none());
        assert_eq!(active.gateway().counters().refused(Refusal::Standby), 1, "nobody has been promoted");
        assert!(active.promote(LIMIT).confirmed && active.gateway().is_active());

        let (web, dns) = (end("192.0.2.1:80"), end("192.0.2.1:53"));
        let mut sessions = Vec::new();
        for host in 2..102 {
            let client = end(&format!("10.0.0.{host}:5000"));
            let (_, syn) = pair.pass(&active, Side::Inside, &tcp(client, web, segment("S", 100, 0))).unwrap();
            let outside = ends(&syn).0;
            pair.pass(&active, Side::Outside, &tcp(web, outside, segment("SA", 500, 101))).unwrap();
            pair.pass(&active, Side::Inside, &tcp(client, web, segment("A", 101, 501))).unwrap();
            let (_, query) = pair.pass(&active, Side::Inside, &udp(client, dns)).unwrap();
            sessions.push((client, outside, ends(&query).0));
        }
        let visitor = end("192.0.2.9:999");
        let open = end("203.0.113.1:80");
        pair.pass(&active, Side::Outside, &tcp(visitor, open, segment("S", 1, 0))).unwrap();
        active.gateway().reap_local(pair.clock.now(), Budget::flows(10));
        eventually("the standby has all flows", || standby.gateway().table().len() == 201);
        eventually("and their states", || {
            let mut established = 0;
            standby.gateway().table().for_each(|flow| {
                let is_tcp = flow.key().protocol() == 6;
                established += usize::from(is_tcp && flow.value().phase(true) == Phase::Established);
            });
            established == 100
        });
        let ports = active.gateway().usage().ports;
        assert_eq!(standby.gateway().usage().ports, ports);

        drop(active);
        let promotion = standby.promote(LIMIT);
        assert!(promotion.confirmed && promotion.drained && promotion.conflicting == 0, "{promotion:?}");
        for (client, tcp_end, udp_end) in &sessions {
            let reply = |packet: &[u8]| {
                let (to, packet) = pair.pass(&standby, Side::Outside, packet).expect("the flow goes on");
                assert_eq!((to, ends(&packet).1), (Side::Inside, *client));
            };
            // The window is not known before both ends have sent something.
            reply(&tcp(web, *tcp_end, segment("A", 501, 101)));
            reply(&udp(dns, *udp_end));
            let (_, packet) =
                pair.pass(&standby, Side::Inside, &tcp(*client, web, segment("A", 101, 501))).unwrap();
            assert_eq!(ends(&packet).0, *tcp_end);
            assert!(
                pair.pass(&standby, Side::Outside, &tcp(web, *tcp_end, segment("R", 77, 0))).is_none(),
                "checked"
            );
        }
        let answer = tcp(end("10.0.0.5:8080"), visitor, segment("SA", 1, 2));
        assert_eq!(ends(&pair.pass(&standby, Side::Inside, &answer).unwrap().1), (open, visitor));

        // A new session gets a port that nobody has.
        let taken: Vec<_> = sessions.iter().map(|(_, _, udp)| *udp).collect();
        for port in 6_000..6_100 {
            let client = end(&format!("10.0.0.200:{port}"));
            let (_, packet) = pair.pass(&standby, Side::Inside, &udp(client, dns)).unwrap();
            assert!(!taken.contains(&ends(&packet).0), "{}", ends(&packet).0);
        }

        for _ in 0..4 {
            pair.clock.advance(Duration::from_secs(100_000));
            while standby.gateway().reap(pair.clock.now(), Budget::UNLIMITED) {}
        }
        let usage = standby.gateway().usage();
        assert_eq!((usage.table.flows, usage.ports), (0, 0), "what was taken over is given back");
    }
}

#[test]
fn flows_that_end_end_at_the_standby_too() {
    let pair = Pair::new(CONFIG);
    let (active, standby) = (pair.member(1), pair.member(2));
    active.promote(LIMIT);
    for port in 1..=50 {
        let client = end(&format!("10.0.0.2:{port}"));
        pair.pass(&active, Side::Inside, &udp(client, end("192.0.2.1:53"))).unwrap();
    }
    active.gateway().reap_local(pair.clock.now(), Budget::flows(10));
    eventually("the standby has all flows", || standby.gateway().table().len() == 50);
    assert_eq!(active.gateway().flush(), 50);
    active.gateway().reap(pair.clock.now(), Budget::UNLIMITED);
    active.gateway().reap_local(pair.clock.now(), Budget::UNLIMITED);
    eventually("the standby has none", || {
        standby.gateway().reap(pair.clock.now(), Budget::UNLIMITED);
        standby.gateway().table().is_empty()
    });
    pair.clock.advance(Duration::from_secs(5));
    standby.gateway().reap(pair.clock.now(), Budget::UNLIMITED);
    assert_eq!(standby.gateway().usage().ports, 0);
}

#[test]
fn the_former_one_stands_by_when_it_learns_of_it() {
    let pair = Pair::new(CONFIG);
    let (first, second) = (pair.member(1), pair.member(2));
    first.promote(LIMIT);
    let packet = udp(end("10.0.0.2:1"), end("192.0.2.1:53"));
    assert!(pair.pass(&first, Side::Inside, &packet).is_some());
    assert!(!first.yield_to_others());
    second.promote(LIMIT);
    eventually("it has read the claim", || first.status().owned.is_empty());
    let new = udp(end("10.0.0.2:2"), end("192.0.2.1:53"));
    assert!(first.gateway().is_active() && pair.pass(&first, Side::Inside, &new).is_none());
    assert_eq!(first.gateway().counters().refused(Refusal::Standby), 1, "it hands out no port any more");
    assert!(pair.pass(&first, Side::Inside, &packet).is_some(), "what is known is passed until it yields");
    eventually("it yields", || first.yield_to_others());
    assert!(pair.pass(&first, Side::Inside, &packet).is_none());
    assert!(pair.pass(&second, Side::Inside, &packet).is_some());
}
