//! NAPT: mappings, filtering, pooling, hairpinning, port forwarding, limits.

mod common;

use std::collections::BTreeSet;

use common::{Bench, Tcp, echo, end, ends, gre, tcp, udp};
use flow_table_gateway::{Refusal, Side};

const PLAIN: &str = r#"
    inside = ["10.0.0.0/24"]
    nat.pool = ["203.0.113.1"]
"#;

#[test]
fn udp_goes_out_and_back() {
    let mut bench = Bench::new(PLAIN);
    let (client, server) = (end("10.0.0.2:5000"), end("192.0.2.1:53"));
    let (outside, to) = bench.out(&udp(client, server));
    assert_eq!((outside.ip(), to), (end("203.0.113.1:0").ip(), server));
    assert_eq!(bench.back(&udp(server, outside)), (server, client));
    assert!(bench.pass(Side::Outside, &udp(end("192.0.2.9:53"), outside)).is_none());
    assert_eq!(bench.gateway.counters().refused(Refusal::Unsolicited), 1);
    bench.assert_nothing_leaks();
}

#[test]
fn echoes_and_protocols_without_ports_go_out_and_back() {
    let mut bench = Bench::new(PLAIN);
    let (client, server) = (end("10.0.0.2:77"), end("192.0.2.1:0"));
    let (outside, _) = bench.out(&echo(client, server));
    assert_ne!(outside.port(), 0);
    assert_eq!(bench.back(&echo(server, outside)), (server, client));
    assert!(bench.pass(Side::Outside, &echo(outside, end("10.0.0.2:0"))).is_none());

    let (client, other) = (end("10.0.0.2:0"), end("10.0.0.3:0"));
    let (outside, _) = bench.out(&gre(client, server));
    assert_eq!(bench.back(&gre(server, outside)), (server, client));
    assert!(bench.pass(Side::Inside, &gre(other, server)).is_none(), "one address has one such flow to a host");
    assert_eq!(bench.gateway.counters().refused(Refusal::Conflict), 1);
    bench.assert_nothing_leaks();
}

#[test]
fn mappings_are_endpoint_independent_and_last_as_long_as_their_sessions() {
    let mut bench = Bench::new(PLAIN);
    let (client, server, other) = (end("10.0.0.2:5000"), end("192.0.2.1:53"), end("192.0.2.2:53"));
    let (first, _) = bench.out(&udp(client, server));
    bench.advance(100);
    bench.reap();
    assert_eq!(bench.out(&udp(client, other)).0, first);
    bench.advance(100);
    bench.reap();
    assert_eq!(bench.gateway.usage().ports, 1, "the first session is over, the second one is not");
    assert_eq!(bench.out(&udp(client, server)).0, first);
    bench.assert_nothing_leaks();
}

#[test]
fn with_dependent_mapping_each_session_has_a_port() {
    let mut bench = Bench::new(&format!("{PLAIN}\nnat.mapping = \"address-and-port-dependent\""));
    let client = end("10.0.0.2:5000");
    let (first, _) = bench.out(&udp(client, end("192.0.2.1:53")));
    let (second, _) = bench.out(&udp(client, end("192.0.2.2:53")));
    assert_ne!(first, second);
    bench.assert_nothing_leaks();
}

#[test]
fn endpoint_independent_filtering_lets_anybody_in() {
    let mut bench = Bench::new(&format!("{PLAIN}\nnat.filtering = \"endpoint-independent\""));
    let (client, server, other) = (end("10.0.0.2:5000"), end("192.0.2.1:53"), end("192.0.2.2:99"));
    let (outside, _) = bench.out(&udp(client, server));
    assert_eq!(bench.back(&udp(other, outside)), (other, client));
    assert_eq!(bench.out(&udp(client, other)), (outside, other), "the answer has the same outside end");
    bench.assert_nothing_leaks();
}

#[test]
fn hosts_inside_reach_each_other_by_their_outside_addresses() {
    let mut bench = Bench::new(&format!("{PLAIN}\nnat.filtering = \"endpoint-independent\""));
    let (alice, bob) = (end("10.0.0.2:5000"), end("10.0.0.3:6000"));
    let (outside_bob, _) = bench.out(&udp(bob, end("192.0.2.1:53")));
    let (outside_alice, _) = bench.out(&udp(alice, end("192.0.2.1:53")));
    let (to, packet) = bench.pass(Side::Inside, &udp(alice, outside_bob)).expect("it comes back");
    assert_eq!((to, ends(&packet)), (Side::Inside, (outside_alice, bob)), "RFC 4787, REQ-9: the outside address");
    let (to, packet) = bench.pass(Side::Inside, &udp(bob, outside_alice)).expect("the answer, too");
    assert_eq!((to, ends(&packet)), (Side::Inside, (outside_bob, alice)));

    let mut bench =
        Bench::new(&format!("{PLAIN}\nnat.filtering = \"endpoint-independent\"\nnat.hairpinning = false"));
    let (outside_bob, _) = bench.out(&udp(bob, end("192.0.2.1:53")));
    assert!(bench.pass(Side::Inside, &udp(alice, outside_bob)).is_none());
}

const FORWARD: &str = r#"
    inside = ["10.0.0.0/24"]
    [nat]
    pool = ["203.0.113.1-203.0.113.4"]
    [[nat.forward]]
    protocol = "tcp"
    outside = "203.0.113.1:80"
    to = "10.0.0.5:8080"
"#;

#[test]
fn a_port_is_forwarded_from_both_sides() {
    let mut bench = Bench::new(FORWARD);
    let (client, host) = (end("192.0.2.1:1234"), end("10.0.0.5:8080"));
    let open = end("203.0.113.1:80");
    let syn = Tcp { flags: "S", sequence: 100, ..Tcp::default() };
    assert_eq!(bench.back(&tcp(client, open, syn)), (client, host));
    let answer = Tcp { flags: "SA", sequence: 500, acknowledged: 101, ..Tcp::default() };
    assert_eq!(bench.out(&tcp(host, client, answer)), (open, client));
    assert!(bench.pass(Side::Outside, &tcp(client, end("203.0.113.2:80"), syn)).is_none());

    let (neighbour, _) = (end("10.0.0.9:4000"), ());
    let (to, packet) = bench.pass(Side::Inside, &tcp(neighbour, open, syn)).expect("hairpin");
    assert_eq!((to, ends(&packet).1), (Side::Inside, host));
    assert!(bench.gateway.usage().ports == 1);
    bench.assert_nothing_leaks();
}

#[test]
fn paired_pooling_keeps_one_address_and_arbitrary_pooling_takes_the_next() {
    let config = |pooling: &str| {
        format!(
            "inside = [\"10.0.0.0/24\"]\nnat.pool = [\"203.0.113.1-203.0.113.4\"]\nnat.ports = \"2000-2003\"
             nat.pooling = \"{pooling}\""
        )
    };
    let addresses = |bench: &mut Bench, sessions: u16| -> BTreeSet<_> {
        let server = end("192.0.2.1:53");
        let client = |port| end(&format!("10.0.0.2:{port}"));
        let sent: Vec<_> = (5_000..5_000 + sessions)
            .filter_map(|port| bench.pass(Side::Inside, &udp(client(port), server)))
            .filter(|(to, _)| *to == Side::Outside)
            .map(|(_, packet)| ends(&packet).0)
            .collect();
        assert_eq!(sent.iter().collect::<BTreeSet<_>>().len(), sent.len(), "no end twice");
        sent.into_iter().map(|end| end.ip()).collect()
    };
    let mut bench = Bench::new(&config("paired"));
    assert_eq!(addresses(&mut bench, 20).len(), 1);
    assert_eq!(bench.gateway.counters().refused(Refusal::PortsExhausted), 16);
    bench.assert_nothing_leaks();
    let mut bench = Bench::new(&config("arbitrary"));
    assert_eq!(addresses(&mut bench, 16).len(), 4);
    assert_eq!(bench.gateway.counters().refused(Refusal::PortsExhausted), 0);
    bench.assert_nothing_leaks();
}

#[test]
fn without_a_free_port_some_senders_are_told() {
    let mut bench = Bench::new(
        "inside = [\"10.0.0.0/24\"]\nnat.pool = [\"203.0.113.1\"]\nnat.ports = 2000\nlimits.errors_per_second = 2",
    );
    let server = end("192.0.2.1:53");
    bench.out(&udp(end("10.0.0.2:1"), server));
    let told = |bench: &mut Bench| {
        let client = |port| end(&format!("10.0.0.3:{port}"));
        let answers = (1..10).filter_map(|port| bench.pass(Side::Inside, &udp(client(port), server)));
        let answers: Vec<_> = answers.collect();
        for (to, packet) in &answers {
            common::assert_valid(packet);
            assert_eq!((*to, &packet[20..22]), (Side::Inside, &[3, 13][..]));
            assert_eq!(ends(packet), (end("203.0.113.1:0"), end("10.0.0.3:0")));
            assert_eq!(packet.len(), 56 + 7, "it quotes the packet");
        }
        answers.len()
    };
    assert_eq!(told(&mut bench), 2);
    bench.advance(1);
    assert_eq!(told(&mut bench), 2);
    assert_eq!(bench.gateway.counters().errors_sent(), 4);
}

#[test]
fn at_capacity_new_flows_are_refused_and_others_go_on() {
    let mut bench = Bench::new(&format!("{PLAIN}\nlimits.flows = 10"));
    let server = end("192.0.2.1:53");
    let client = |port| end(&format!("10.0.0.2:{port}"));
    let passed = (1..=20).filter(|port| bench.pass(Side::Inside, &udp(client(*port), server)).is_some()).count();
    assert_eq!(passed, 10);
    assert_eq!(bench.gateway.counters().refused(Refusal::TableFull), 10);
    assert_eq!(bench.gateway.usage().ports, 10, "a refused flow gives its port back");
    bench.out(&udp(client(1), server));
    bench.assert_nothing_leaks();
}

#[test]
fn a_source_has_a_limit_from_either_side() {
    let mut bench = Bench::new(&format!("{FORWARD}\n[limits]\nflows_per_source = 3"));
    let server = end("192.0.2.1:53");
    let syn = Tcp { flags: "S", ..Tcp::default() };
    let inside =
        (1..10).filter(|port| bench.pass(Side::Inside, &udp(end(&format!("10.0.0.2:{port}")), server)).is_some());
    assert_eq!(inside.count(), 3);
    let outside = (1..10).filter(|port| {
        let flood = tcp(end(&format!("192.0.2.7:{port}")), end("203.0.113.1:80"), syn);
        bench.pass(Side::Outside, &flood).is_some()
    });
    assert_eq!(outside.count(), 3);
    assert_eq!(bench.gateway.counters().refused(Refusal::SourceLimit), 12);
    bench.out(&udp(end("10.0.0.3:1"), server));
    bench.assert_nothing_leaks();
}

#[test]
fn the_same_burst_may_have_several_first_packets() {
    let mut bench = Bench::new(PLAIN);
    let packet = udp(end("10.0.0.2:5000"), end("192.0.2.1:53"));
    let burst = vec![(Side::Inside, packet); 8];
    let left: BTreeSet<_> =
        bench.pass_all(&burst).into_iter().flatten().collect::<Vec<_>>().into_iter().map(|p| p.1).collect();
    assert_eq!((left.len(), bench.gateway.usage().table.flows), (1, 1));
    assert_eq!(bench.gateway.counters().forwarded(), 8);
}

#[test]
fn addresses_of_the_wrong_side_are_refused() {
    let mut bench = Bench::new(PLAIN);
    let (client, server) = (end("10.0.0.2:5000"), end("192.0.2.1:53"));
    let (outside, _) = bench.out(&udp(client, server));
    for (side, source, destination) in [
        (Side::Inside, "10.9.0.2:1", "192.0.2.1:53"),
        (Side::Inside, "10.0.0.2:1", "10.0.0.3:53"),
        (Side::Inside, "10.0.0.2:1", "224.0.0.1:53"),
        (Side::Inside, "10.0.0.2:1", "127.0.0.1:53"),
        (Side::Outside, "10.0.0.2:5000", "192.0.2.1:53"),
        (Side::Outside, "10.0.0.3:1", "203.0.113.1:53"),
        (Side::Outside, "192.0.2.1:53", "10.0.0.2:5000"),
    ] {
        assert!(bench.pass(side, &udp(end(source), end(destination))).is_none(), "{side} {source} {destination}");
    }
    assert_eq!(bench.back(&udp(server, outside)), (server, client));
}

#[test]
fn a_reload_cancels_what_the_new_rules_refuse_and_nothing_else() {
    let mut bench = Bench::new(FORWARD);
    let (web, dns) = (end("192.0.2.1:80"), end("192.0.2.1:53"));
    let (first, second) = (end("10.0.0.2:5000"), end("10.0.0.3:5000"));
    bench.out(&udp(first, web));
    let (outside, _) = bench.out(&udp(second, dns));
    let syn = Tcp { flags: "S", ..Tcp::default() };
    bench.back(&tcp(end("192.0.2.1:1234"), end("203.0.113.1:80"), syn));
    let denied = "[[firewall.rules]]\nfrom = \"inside\"\naction = \"drop\"\nport = 80";
    let config = format!("inside = [\"10.0.0.0/24\"]\nnat.pool = [\"203.0.113.1-203.0.113.4\"]\n{denied}");
    assert_eq!(bench.gateway.reload(&config.parse().unwrap()), 2, "the rule, and the port that is not forwarded");
    assert_eq!(bench.back(&udp(dns, outside)), (dns, second));
    assert!(bench.pass(Side::Inside, &udp(first, web)).is_none());
    assert_eq!(bench.gateway.counters().refused(Refusal::Denied), 1);

    // Without the address, nothing is left.
    let config = "inside = [\"10.0.0.0/24\"]\nnat.pool = [\"203.0.113.9\"]";
    assert_eq!(bench.gateway.reload(&config.parse().unwrap()), 1);
    assert!(bench.pass(Side::Outside, &udp(dns, outside)).is_none());
    assert_eq!(bench.out(&udp(second, dns)).0.ip(), end("203.0.113.9:0").ip());
    assert_eq!(bench.gateway.flush(), 1);
    bench.assert_nothing_leaks();
}
