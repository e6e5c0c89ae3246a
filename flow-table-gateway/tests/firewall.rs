//! IPv6 and rules: the firewall without a translation of ports, and with one of prefixes.

mod common;

use common::{Bench, Tcp, echo, end, tcp, udp};
use flow_table_gateway::{Config, ConfigError, Refusal, Side};

const ROUTED: &str = r#"
    inside = ["2001:db8:1::/64", "198.51.100.0/24"]
    [[firewall.rules]]
    from = "outside"
    action = "accept"
    protocol = "tcp"
    destination = "2001:db8:1::80/128"
    port = "80-81"
    [[firewall.rules]]
    from = "inside"
    action = "drop"
    protocol = "tcp"
    port = 25
"#;

#[test]
fn routed_addresses_stay_and_only_answers_come_in() {
    let mut bench = Bench::new(ROUTED);
    for (client, server) in [("[2001:db8:1::2]:5000", "[2001:db8:2::1]:53"), ("198.51.100.2:5000", "192.0.2.1:53")]
    {
        let (client, server) = (end(client), end(server));
        assert!(bench.pass(Side::Outside, &udp(server, client)).is_none());
        assert_eq!(bench.out(&udp(client, server)), (client, server));
        assert_eq!(bench.back(&udp(server, client)), (server, client));
    }
    let (client, server) = (end("[2001:db8:1::2]:9"), end("[2001:db8:2::1]:0"));
    assert_eq!(bench.out(&echo(client, server)), (client, server));
    assert_eq!(bench.back(&echo(server, client)), (server, client));
    assert_eq!(bench.gateway.counters().refused(Refusal::Unsolicited), 2);
    bench.assert_nothing_leaks();
}

#[test]
fn rules_decide_about_first_packets() {
    let mut bench = Bench::new(ROUTED);
    let syn = Tcp { flags: "S", ..Tcp::default() };
    let peer = end("[2001:db8:2::1]:5000");
    for (port, open) in [(79, false), (80, true), (81, true), (82, false)] {
        let to = end(&format!("[2001:db8:1::80]:{port}"));
        assert_eq!(bench.pass(Side::Outside, &tcp(peer, to, syn)).is_some(), open, "{port}");
    }
    assert!(bench.pass(Side::Outside, &udp(peer, end("[2001:db8:1::80]:80"))).is_none());
    assert!(bench.pass(Side::Outside, &tcp(peer, end("[2001:db8:1::81]:80"), syn)).is_none());
    assert!(bench.pass(Side::Inside, &tcp(end("[2001:db8:1::2]:1"), end("[2001:db8:2::1]:25"), syn)).is_none());
    assert_eq!(bench.gateway.counters().refused(Refusal::Denied), 1);
}

#[test]
fn prefixes_are_translated_without_a_port() {
    let mut bench = Bench::new(
        r#"
        inside = ["fd01:203:405::/48"]
        [[nat66]]
        inside = "fd01:203:405::/48"
        outside = "2001:db8:1::/48"
        [[firewall.rules]]
        from = "outside"
        action = "accept"
        port = 80
        "#,
    );
    let (client, server) = (end("[fd01:203:405:1::1234]:5000"), end("[2001:db8:9::1]:53"));
    let outside = end("[2001:db8:1:d550::1234]:5000");
    assert_eq!(bench.out(&udp(client, server)), (outside, server), "RFC 6296, section 2.1");
    assert_eq!(bench.back(&udp(server, outside)), (server, client));
    let syn = Tcp { flags: "S", ..Tcp::default() };
    let (web, open) = (end("[fd01:203:405:1::80]:80"), end("[2001:db8:1:d550::80]:80"));
    assert_eq!(bench.back(&tcp(server, open, syn)), (server, web));
    assert_eq!(bench.out(&tcp(web, server, Tcp { flags: "SA", ..Tcp::default() })), (open, server));
    bench.assert_nothing_leaks();
}

#[test]
fn with_pass_through_everything_goes_to_the_other_side_unchanged() {
    let mut bench = Bench::new("inside = [\"10.0.0.0/8\"]\nnat.pool = [\"203.0.113.1\"]\npass_through = true");
    for side in [Side::Inside, Side::Outside] {
        let packet = udp(end("192.0.2.1:1"), end("10.0.0.1:2"));
        assert_eq!(bench.pass(side, &packet), Some((side.other(), packet)));
    }
    assert_eq!(bench.gateway.usage().table.inserts, 0);
}

#[test]
fn wrong_configurations_are_refused_with_their_reason() {
    let error = |text: &str| text.parse::<Config>().expect_err(text);
    assert!(matches!(error(""), ConfigError::Syntax(_)));
    assert!(matches!(error("inside = []\nx = 1"), ConfigError::Syntax(_)));
    assert!(matches!(error("inside = []\nnat.pool = []"), ConfigError::Pool(0)));
    assert!(matches!(error("inside = []\nnat.pool = [\"0.0.0.0/0\"]"), ConfigError::Pool(4097)));
    assert!(matches!(
        error("inside = [\"10.0.0.0/8\"]\nnat.pool = [\"10.1.0.0/30\"]"),
        ConfigError::PoolInside(_)
    ));
    let forward =
        "inside = []\nnat.pool = [\"203.0.113.1\"]\n[[nat.forward]]\nprotocol = \"tcp\"\nto = \"10.0.0.1:1\"";
    assert!(matches!(error(&format!("{forward}\noutside = \"203.0.113.2:80\"")), ConfigError::Forward(_)));
    for (inside, outside) in [("fd00::/48", "fd01::/47"), ("fd00::/96", "fd01::/96"), ("fd00::/48", "fd00::/48")] {
        let text = format!("inside = []\n[[nat66]]\ninside = \"{inside}\"\noutside = \"{outside}\"");
        assert!(matches!(error(&text), ConfigError::Prefix(..)), "{inside}");
    }
    assert!(matches!(error("inside = []\nlimits.flows = 0"), ConfigError::Zero("limits.flows")));
}
