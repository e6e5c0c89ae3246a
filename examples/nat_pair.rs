//! Source NAT. A flow is found by the packet that goes out and by the translated packet that comes back. The two
//! keys are unrelated.
//!
//! `cargo run --release --example nat_pair`

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use flow_table::{
    Admission, Budget, Direction, Flow, FlowKey, FlowRef, FlowTable, NewFlow, Status, Table, Timestamp,
};

const TCP: u8 = 6;
const PUBLIC: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const PORTS: std::ops::Range<u16> = 61_000..61_003;

/// The addresses that a packet gets.
struct Translation {
    inside: SocketAddrV4,
    outside: SocketAddrV4,
}

type Nat = FlowTable<FlowKey, Translation>;
type Handle = <Nat as Table<FlowKey, Translation>>::Ref;

/// Returns the flow of a packet that goes out. The first packet takes a public port. `None` if no port is free for
/// that server.
fn outbound(nat: &Nat, client: SocketAddrV4, server: SocketAddrV4, now: Timestamp) -> Option<Handle> {
    let key = FlowKey::v4(client, server, TCP);
    if let Some(flow) = nat.lookup(&key, now).filter(|flow| flow.refresh(now)) {
        return Some(flow);
    }
    PORTS.map(|port| SocketAddrV4::new(PUBLIC, port)).find_map(|outside| {
        let flow = NewFlow::new(key, Translation { inside: client, outside })
            .reply(FlowKey::v4(server, outside, TCP))
            .timeout(Duration::from_secs(120));
        match nat.insert_if_absent(flow, now).ok()? {
            Admission::Inserted(flow) => Some(flow),
            // Another worker was faster with the same first packet. Its flow serves this packet, too.
            Admission::Existing { holder, key: Direction::Forward, .. } => Some(holder),
            // The port is in use towards this server. Neither key was installed, so try the next port.
            Admission::Existing { key: Direction::Reply, .. } => None,
        }
    })
}

fn main() {
    let nat = Nat::new(1_000);
    let now = Timestamp::from_secs(1);
    let (alice, bob) = (address("10.0.0.2:40000"), address("10.0.0.3:40000"));
    let (web, mail) = (address("192.0.2.80:443"), address("192.0.2.25:993"));

    // Towards one server every client needs its own port. Towards another server the first port is free again.
    let ports = |client, server| outbound(&nat, client, server, now).map(|flow| flow.value().outside.port());
    assert_eq!(ports(alice, web), Some(61_000));
    assert_eq!(ports(bob, web), Some(61_001));
    assert_eq!(ports(alice, mail), Some(61_000));
    assert_eq!(ports(alice, web), Some(61_000), "the second packet finds the flow of the first");
    assert_eq!(nat.len(), 3, "a flow counts once, whatever its number of keys");

    // A packet comes back to the public address. The handle's direction says that the reply key matched.
    let reply = FlowKey::v4(web, SocketAddrV4::new(PUBLIC, 61_001), TCP);
    let flow = nat.lookup(&reply, now).expect("bob's flow");
    assert_eq!(flow.direction(), Direction::Reply);
    assert_eq!(flow.value().inside, bob);
    println!("{reply} goes to {}", flow.value().inside);

    // Both keys share one lifetime: a packet in either direction refreshes it …
    let later = now + Duration::from_secs(100);
    assert!(flow.refresh(later));
    let forward = FlowKey::v4(bob, web, TCP);
    assert_eq!(nat.lookup(&forward, later).map(|found| found.deadline()), Some(later + Duration::from_secs(120)));

    // … and ending the flow ends both at once, and frees the port.
    assert!(flow.cancel());
    assert_eq!(flow.status(), Status::Cancelled);
    assert!(nat.lookup(&forward, later).is_none() && nat.lookup(&reply, later).is_none());
    assert_eq!(nat.reap(later, Budget::UNLIMITED).cancelled, 1);
    let carol = outbound(&nat, address("10.0.0.4:40000"), web, later).expect("a free port");
    assert_eq!(carol.value().outside.port(), 61_001);
    println!("{} took over port {}", carol.value().inside, carol.value().outside.port());
}

fn address(text: &str) -> SocketAddrV4 {
    text.parse().expect("an address")
}
