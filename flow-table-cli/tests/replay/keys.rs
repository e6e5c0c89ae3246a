//! What is part of a flow's key, and which packets share it.

use std::sync::Arc;

use flow_table_cli::keyer::{Keyer, Keying, TenantField};
use flow_table_cli::packet::LinkType;
use flow_table_cli::read::Packet;

/// An IPv4 packet with UDP or a part of it, in a frame with these bytes before it.
fn frame(before: &[u8], identification: u8, fragment: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len()) as u8;
    let header = [
        [0x45, 0, 0, length],
        [0, identification, fragment[0], fragment[1]],
        [64, 17, 0, 0],
        [10, 0, 0, 2],
        [10, 0, 0, 1],
    ];
    [&[2; 12], before, header.as_flattened(), payload].concat()
}

const IPV4: [u8; 2] = [8, 0];
const UDP: [u8; 8] = [0x03, 0xe8, 0x07, 0xd0, 0, 8, 0, 0];

fn key(keyer: &mut Keyer, data: &[u8], seconds: i128) -> String {
    let packet =
        Packet { link: LinkType::ETHERNET, timestamp: seconds * 1_000_000_000, data, wire_len: data.len() as u32 };
    let keyed = keyer.key(&packet).expect("an IP packet").expect("every protocol counts");
    assert!(keyed.reversed, "10.0.0.1 is lower");
    keyed.key.to_string()
}

#[test]
fn later_fragments_follow_the_first_for_half_a_minute() {
    let keying = Keying { fragments: true, ..Keying::default() };
    let mut keyer = Keyer::new(keying, None);
    let (early, late) = (frame(&IPV4, 9, [0, 1], &[0; 8]), frame(&IPV4, 7, [0, 1], &[0; 8]));
    let with_ports = "udp 10.0.0.1:2000 > 10.0.0.2:1000";
    assert_eq!(key(&mut keyer, &early, 0), "udp 10.0.0.1:0 > 10.0.0.2:0");
    assert_eq!(key(&mut keyer, &frame(&IPV4, 7, [0x20, 0], &UDP), 1), with_ports);
    assert_eq!(key(&mut keyer, &late, 2), with_ports);
    assert_eq!(key(&mut keyer, &late, 30), with_ports);
    assert_eq!(key(&mut keyer, &early, 30), "udp 10.0.0.1:0 > 10.0.0.2:0");
    assert_eq!(key(&mut keyer, &late, 31), "udp 10.0.0.1:0 > 10.0.0.2:0");
    assert_eq!(keyer.unfollowed(), 3);
    let mut default = Keyer::new(Keying::default(), None);
    key(&mut default, &frame(&IPV4, 7, [0x20, 0], &UDP), 1);
    assert_eq!(key(&mut default, &late, 2), "udp 10.0.0.1:0 > 10.0.0.2:0");
}

#[test]
fn tenants_are_vlans_labels_or_networks() {
    let plain = "udp 10.0.0.1:2000 > 10.0.0.2:1000";
    let qinq = frame(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0], 1, [0, 0], &UDP);
    let mpls = frame(&[0x88, 0x47, 0, 0, 0x71, 1], 1, [0, 0], &UDP);
    for (tenant, data, expected) in [
        (TenantField::None, &qinq, plain.to_owned()),
        (TenantField::Vlan, &qinq, format!("{plain} @{}", 5 + 4_096 * 6)),
        (TenantField::Vlan, &mpls, plain.to_owned()),
        (TenantField::Mpls, &mpls, format!("{plain} @7")),
        (TenantField::Vni, &mpls, plain.to_owned()),
    ] {
        let mut keyer = Keyer::new(Keying { tenant, ..Keying::default() }, None);
        assert_eq!(key(&mut keyer, data, 0), expected, "{tenant:?}");
    }
}

#[test]
fn a_filter_is_asked_about_the_packet_as_it_was_sent() {
    for (filter, matches) in [("src host 10.0.0.2 and dst port 2000", true), ("src host 10.0.0.1", false)] {
        let mut keyer = Keyer::new(Keying::default(), Some(Arc::new(filter.parse().expect("a filter"))));
        let data = frame(&IPV4, 1, [0, 0], &UDP);
        let packet = Packet { link: LinkType::ETHERNET, timestamp: 0, data: &data, wire_len: 42 };
        assert_eq!(keyer.key(&packet).expect("an IP packet").is_some(), matches, "{filter}");
    }
}
