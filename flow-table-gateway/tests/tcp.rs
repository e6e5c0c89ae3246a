//! TCP connections: their states, timeouts, and who may end them.

mod common;

use common::{Bench, Tcp, end, tcp};
use flow_table_gateway::{Refusal, Side};

const CONFIG: &str = r#"
    inside = ["10.0.0.0/24"]
    nat.pool = ["203.0.113.1"]
    [timeouts.tcp]
    opening = 30
    established = 1000
    closing = 60
    closed = 5
"#;

struct Connection {
    bench: Bench,
    client: std::net::SocketAddr,
    server: std::net::SocketAddr,
    outside: std::net::SocketAddr,
}

fn segment(flags: &'static str, sequence: u32, acknowledged: u32, data: usize) -> Tcp {
    Tcp { flags, sequence, acknowledged, data }
}

impl Connection {
    fn opening() -> Self {
        let mut bench = Bench::new(CONFIG);
        let (client, server) = (end("10.0.0.2:5000"), end("192.0.2.1:80"));
        let (outside, _) = bench.out(&tcp(client, server, segment("S", 100, 0, 0)));
        Self { bench, client, server, outside }
    }

    /// The client has sent up to 101, the server up to 501. Both windows are 1,000 bytes.
    fn established() -> Self {
        let mut connection = Self::opening();
        assert!(connection.reply(segment("SA", 500, 101, 0)));
        assert!(connection.send(segment("A", 101, 501, 0)));
        connection
    }

    fn send(&mut self, segment: Tcp) -> bool {
        self.bench.pass(Side::Inside, &tcp(self.client, self.server, segment)).is_some()
    }

    fn reply(&mut self, segment: Tcp) -> bool {
        self.bench.pass(Side::Outside, &tcp(self.server, self.outside, segment)).is_some()
    }

    /// Whether a silence of so many seconds ends the connection.
    fn ends_after(&mut self, seconds: u64) -> bool {
        self.bench.advance(seconds - 1);
        self.bench.reap();
        let alive = self.bench.gateway.usage().table.flows;
        // The slack of refreshes.
        self.bench.advance(2);
        self.bench.reap();
        alive == 1 && self.bench.gateway.usage().table.flows == 0
    }
}

#[test]
fn each_state_has_its_timeout() {
    assert!(Connection::opening().ends_after(30));
    let mut answered = Connection::opening();
    assert!(answered.reply(segment("SA", 500, 101, 0)));
    assert!(answered.ends_after(30));
    assert!(Connection::established().ends_after(1_000));
    let mut half_closed = Connection::established();
    assert!(half_closed.send(segment("FA", 101, 501, 0)));
    assert!(half_closed.ends_after(60));
    let mut closed = Connection::established();
    assert!(closed.send(segment("FA", 101, 501, 0)));
    assert!(closed.reply(segment("FA", 501, 102, 0)));
    assert!(closed.send(segment("A", 102, 502, 0)), "the last acknowledgement passes");
    assert!(closed.ends_after(5));
    let mut reset = Connection::established();
    assert!(reset.reply(segment("R", 501, 0, 0)));
    assert!(reset.ends_after(5));
}

#[test]
fn both_ends_may_begin_at_once() {
    let mut connection = Connection::opening();
    assert!(connection.reply(segment("S", 500, 0, 0)));
    assert!(connection.send(segment("SA", 100, 501, 0)));
    assert!(connection.reply(segment("SA", 500, 101, 0)));
    assert!(connection.ends_after(1_000), "RFC 5382, REQ-2");
}

#[test]
fn a_reset_or_fin_needs_a_number_in_the_window() {
    let mut connection = Connection::established();
    assert!(connection.send(segment("A", 101, 501, 400)));
    assert!(connection.reply(segment("A", 501, 501, 0)));
    for forged in [500, 2_000, 0, u32::MAX, 501 + 1_001] {
        assert!(!connection.reply(segment("R", forged, 0, 0)), "{forged}");
        assert!(!connection.reply(segment("FA", forged, 501, 0)), "{forged}");
    }
    for forged in [500, 501 + 1_001] {
        assert!(!connection.send(segment("R", forged, 0, 0)), "{forged}");
    }
    assert_eq!(connection.bench.gateway.counters().refused(Refusal::Sequence), 12);
    assert!(connection.reply(segment("R", 501 + 1_000, 0, 0)));
    assert!(connection.ends_after(5));
}

#[test]
fn a_fin_that_is_sent_again_passes() {
    let mut connection = Connection::established();
    assert!(connection.send(segment("FA", 101, 501, 10)));
    assert!(connection.reply(segment("A", 501, 112, 0)), "and is lost");
    assert!(connection.send(segment("FA", 101, 501, 10)));
    assert!(connection.reply(segment("A", 501, 112, 0)));

    let mut connection = Connection::established();
    assert!(connection.reply(segment("A", 501, 105, 0)), "some of what follows is received already");
    assert!(connection.send(segment("FA", 101, 501, 10)));
    assert!(connection.ends_after(60));
}

#[test]
fn a_reset_that_answers_a_syn_acknowledges_it() {
    let mut connection = Connection::opening();
    assert!(!connection.reply(segment("R", 0, 0, 0)));
    assert!(!connection.reply(segment("RA", 0, 77, 0)));
    assert!(connection.reply(segment("RA", 0, 101, 0)));
    assert!(connection.ends_after(5));
}

#[test]
fn forged_numbers_are_not_learned() {
    let mut connection = Connection::established();
    assert!(connection.reply(segment("A", 0x8000_0000, 0x7000_0000, 10)), "data is the receiver's business");
    assert!(!connection.send(segment("R", 0x7000_0000, 0, 0)));
    assert!(connection.send(segment("R", 101, 0, 0)));
}

#[test]
fn a_new_connection_may_reuse_the_ports_of_a_closed_one() {
    let mut connection = Connection::established();
    assert!(connection.send(segment("R", 101, 0, 0)));
    assert!(connection.send(segment("S", 90_000, 0, 0)));
    assert!(connection.reply(segment("SA", 7_000, 90_001, 0)));
    assert!(connection.send(segment("A", 90_001, 7_001, 0)));
    assert!(!connection.reply(segment("R", 501, 0, 0)), "of the old one");
    assert!(connection.ends_after(1_000));
}

#[test]
fn only_a_syn_begins_a_connection() {
    let mut bench = Bench::new(CONFIG);
    for flags in ["", "A", "SA", "F", "R", "SF", "SR"] {
        let packet = tcp(end("10.0.0.2:5000"), end("192.0.2.1:80"), segment(flags, 1, 1, 0));
        assert!(bench.pass(Side::Inside, &packet).is_none(), "{flags}");
    }
    assert_eq!(bench.gateway.counters().refused(Refusal::NoFlow), 7);
    assert_eq!(bench.gateway.usage().table.inserts, 0);
}
