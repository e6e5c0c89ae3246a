use rstest::rstest;

use super::*;

/// A UDP header with ports 1000 and 2000.
const UDP: [u8; 8] = [0x03, 0xe8, 0x07, 0xd0, 0, 8, 0, 0];
const V4_KEY: &str = "udp 10.0.0.1:1000 > 10.0.0.2:2000";
const V6_KEY: &str = "udp [fd00::1]:1000 > [fd00::2]:2000";

fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    v4_with([0, 0], (20 + payload.len()) as u16, protocol, payload)
}

fn v4_with(fragment: [u8; 2], total_len: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = total_len.to_be_bytes();
    let header = [
        [0x45, 0, high, low],
        [0, 1, fragment[0], fragment[1]],
        [64, protocol, 0, 0],
        [10, 0, 0, 1],
        [10, 0, 0, 2],
    ];
    [header.as_flattened(), payload].concat()
}

fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    v6_with(payload.len() as u16, next, payload)
}

fn v6_with(payload_len: u16, next: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = payload_len.to_be_bytes();
    let address = |last| [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    [&[0x60, 0, 0, 0, high, low, next, 64][..], &address(1), &address(2), payload].concat()
}

fn parse(link: LinkType, frame: &[u8]) -> Result<IpPacket, Skip> {
    IpPacket::parse(link, frame, frame.len() as u32)
}

fn key(link: LinkType, frame: &[u8]) -> Result<String, Skip> {
    parse(link, frame).map(|packet| packet.key.to_string())
}

/// The key and the class of a raw IP packet.
fn outcome(packet: &[u8]) -> (String, Class) {
    let packet = parse(LinkType::RAW, packet).unwrap();
    (packet.key.to_string(), packet.class)
}

fn ethernet(tail: &[u8]) -> Vec<u8> {
    [&[2; 12], tail].concat()
}

#[rstest]
#[case::ethernet(LinkType::ETHERNET, ethernet(&[0x08, 0]))]
#[case::vlan(LinkType::ETHERNET, ethernet(&[0x81, 0, 0, 5, 0x08, 0]))]
#[case::qinq(LinkType::ETHERNET, ethernet(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x08, 0]))]
#[case::three_tags(LinkType::ETHERNET, ethernet(&[0x91, 0, 0, 5, 0x92, 0, 0, 6, 0x81, 0, 0, 7, 0x08, 0]))]
#[case::snap(LinkType::ETHERNET, ethernet(&[0, 44, 0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0]))]
#[case::vlan_snap(LinkType::ETHERNET, ethernet(&[0x81, 0, 0, 5, 0, 44, 0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0]))]
#[case::mpls(LinkType::ETHERNET, ethernet(&[0x88, 0x47, 0, 1, 1, 64]))]
#[case::mpls_stack(LinkType::ETHERNET, ethernet(&[0x88, 0x48, 0, 1, 0, 64, 0, 2, 1, 64]))]
#[case::pppoe(LinkType::ETHERNET, ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 30, 0, 0x21]))]
#[case::pppoe_short_protocol(LinkType::ETHERNET, ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 30, 0x21]))]
#[case::cooked(LinkType::LINUX_SLL, [&[0; 14][..], &[0x08, 0]].concat())]
#[case::cooked_vlan(LinkType::LINUX_SLL, [&[0; 14][..], &[0x81, 0, 0, 5, 0x08, 0]].concat())]
#[case::cooked_2(LinkType::LINUX_SLL2, [&[0x08, 0][..], &[0; 18]].concat())]
#[case::null_little(LinkType::NULL, vec![2, 0, 0, 0])]
#[case::null_big(LinkType::NULL, vec![0, 0, 0, 2])]
#[case::loopback(LinkType::LOOP, vec![0, 0, 0, 2])]
#[case::ppp(LinkType::PPP, vec![0, 0x21])]
#[case::ppp_short_protocol(LinkType::PPP, vec![0x21])]
#[case::ppp_framed(LinkType::PPP, vec![0xff, 3, 0, 0x21])]
#[case::ppp_serial(LinkType::PPP_SERIAL, vec![0xff, 3, 0x21])]
#[case::ppp_cisco(LinkType::PPP_SERIAL, vec![0x0f, 0, 0x08, 0])]
#[case::ppp_cisco_multicast(LinkType::PPP, vec![0x8f, 0, 0x08, 0])]
#[case::ppp_ether(LinkType::PPP_ETHER, vec![0x11, 0, 0, 1, 0, 30, 0, 0x21])]
#[case::cisco(LinkType::C_HDLC, vec![0x0f, 0, 0x08, 0])]
#[case::raw(LinkType::RAW, vec![])]
#[case::raw_bsd(LinkType::RAW_BSD, vec![])]
#[case::raw_openbsd(LinkType::RAW_OPENBSD, vec![])]
#[case::ipv4(LinkType::IPV4, vec![])]
fn ipv4_below(#[case] link: LinkType, #[case] below: Vec<u8>) {
    let frame = [below.as_slice(), &v4(17, &UDP)].concat();
    assert_eq!(key(link, &frame).as_deref(), Ok(V4_KEY));
    for cut in 0..below.len() + 20 {
        assert!(key(link, &frame[..cut]).is_err(), "{cut} bytes cannot hold the IP header");
    }
}

#[rstest]
#[case::ethernet(LinkType::ETHERNET, ethernet(&[0x86, 0xdd]))]
#[case::mpls(LinkType::ETHERNET, ethernet(&[0x88, 0x47, 0, 1, 1, 64]))]
#[case::pppoe(LinkType::ETHERNET, ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 30, 0, 0x57]))]
#[case::cooked(LinkType::LINUX_SLL, [&[0; 14][..], &[0x86, 0xdd]].concat())]
#[case::cooked_2(LinkType::LINUX_SLL2, [&[0x86, 0xdd][..], &[0; 18]].concat())]
#[case::null_linux(LinkType::NULL, vec![10, 0, 0, 0])]
#[case::null_netbsd(LinkType::NULL, vec![24, 0, 0, 0])]
#[case::null_freebsd(LinkType::NULL, vec![0, 0, 0, 28])]
#[case::null_darwin(LinkType::NULL, vec![30, 0, 0, 0])]
#[case::loopback(LinkType::LOOP, vec![0, 0, 0, 24])]
#[case::ppp(LinkType::PPP, vec![0xff, 3, 0, 0x57])]
#[case::ppp_cisco(LinkType::PPP, vec![0x0f, 0, 0x86, 0xdd])]
#[case::cisco(LinkType::C_HDLC, vec![0x0f, 0, 0x86, 0xdd])]
#[case::raw(LinkType::RAW, vec![])]
#[case::ipv6(LinkType::IPV6, vec![])]
fn ipv6_below(#[case] link: LinkType, #[case] below: Vec<u8>) {
    let frame = [below.as_slice(), &v6(17, &UDP)].concat();
    assert_eq!(key(link, &frame).as_deref(), Ok(V6_KEY));
    for cut in 0..below.len() + 40 {
        assert!(key(link, &frame[..cut]).is_err(), "{cut} bytes cannot hold the IP header");
    }
}

#[rstest]
#[case::arp(LinkType::ETHERNET, ethernet(&[0x08, 6, 0, 1]), Skip::NotIp)]
#[case::llc(LinkType::ETHERNET, ethernet(&[0, 3, 0x42, 0x42, 3]), Skip::NotIp)]
#[case::pppoe_discovery(LinkType::ETHERNET, ethernet(&[0x88, 0x63, 0x11, 9, 0, 0, 0, 0]), Skip::NotIp)]
#[case::pppoe_lcp(LinkType::ETHERNET, ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 6, 0xc0, 0x21]), Skip::NotIp)]
#[case::mpls_pseudowire(LinkType::ETHERNET, ethernet(&[0x88, 0x47, 0, 1, 1, 64, 0, 0, 0, 0]), Skip::NotIp)]
#[case::mpls_without_bottom(LinkType::ETHERNET, ethernet(&[0x88, 0x47, 0, 1, 0, 64]), Skip::CutOff)]
#[case::mpls_without_packet(LinkType::ETHERNET, ethernet(&[0x88, 0x47, 0, 1, 1, 64]), Skip::CutOff)]
#[case::half_a_tag(LinkType::ETHERNET, ethernet(&[0x81, 0, 0, 5, 0x08]), Skip::CutOff)]
#[case::no_ether_type(LinkType::ETHERNET, vec![2; 13], Skip::CutOff)]
#[case::cooked_802_3(LinkType::LINUX_SLL, [&[0; 14][..], &[0, 1]].concat(), Skip::NotIp)]
#[case::null_other_family(LinkType::NULL, vec![7, 0, 0, 0], Skip::NotIp)]
#[case::raw_other_version(LinkType::RAW, vec![0x50; 40], Skip::NotIp)]
#[case::raw_empty(LinkType::RAW, vec![], Skip::CutOff)]
#[case::ppp_empty(LinkType::PPP, vec![], Skip::CutOff)]
#[case::version_under_ether_type(
    LinkType::ETHERNET,
    [ethernet(&[0x08, 0]), v6(17, &UDP)].concat(),
    Skip::MalformedIp
)]
#[case::unknown(LinkType::new(105), v4(17, &UDP), Skip::UnsupportedLink(LinkType::new(105)))]
fn skipped(#[case] link: LinkType, #[case] frame: Vec<u8>, #[case] reason: Skip) {
    assert_eq!(parse(link, &frame), Err(reason));
}

#[rstest]
#[case::short_ihl(0, 0x44)]
#[case::ihl_beyond_captured(0, 0x4f)]
#[case::length_below_header(3, 19)]
fn malformed_ipv4(#[case] at: usize, #[case] value: u8) {
    let mut packet = v4(17, &UDP);
    packet[at] = value;
    assert_eq!(parse(LinkType::RAW, &packet), Err(Skip::MalformedIp));
}

#[rstest]
#[case::tcp(6, 20, Class::Tcp)]
#[case::udp(17, 8, Class::Udp)]
#[case::dccp(33, 12, Class::Other)]
#[case::sctp(132, 12, Class::Sctp)]
#[case::udp_lite(136, 8, Class::Other)]
fn ports_need_the_whole_header(#[case] protocol: u8, #[case] header: usize, #[case] class: Class) {
    let payload = [&UDP[..4], &[0; 30]].concat();
    for make in [v4, v6] {
        let full = parse(LinkType::RAW, &make(protocol, &payload[..header])).unwrap();
        assert_eq!((full.class, full.key.source().port(), full.key.destination().port()), (class, 1000, 2000));
        let short = parse(LinkType::RAW, &make(protocol, &payload[..header - 1])).unwrap();
        assert_eq!((short.class, short.key.source().port(), short.key.destination().port()), (Class::Short, 0, 0));
        assert_eq!(short.key.protocol(), protocol);
    }
}

#[test]
fn ports_must_be_inside_the_packet_and_captured() {
    let outside = v4_with([0, 0], 27, 17, &UDP);
    assert_eq!(outcome(&outside), ("udp 10.0.0.1:0 > 10.0.0.2:0".into(), Class::Short));
    let cut = &v4(17, &UDP)[..27];
    assert_eq!(outcome(cut), ("udp 10.0.0.1:0 > 10.0.0.2:0".into(), Class::Short));
}

#[rstest]
#[case::request(v4(1, &[8, 0, 0, 0, 0x12, 0x34, 0, 1]), "icmp 10.0.0.1:4660 > 10.0.0.2:4660", Class::IcmpEcho)]
#[case::reply(v4(1, &[0, 0, 0, 0, 0x12, 0x34, 0, 1]), "icmp 10.0.0.1:4660 > 10.0.0.2:4660", Class::IcmpEcho)]
#[case::unreachable(v4(1, &[3, 3, 0, 0]), "icmp 10.0.0.1:0 > 10.0.0.2:0", Class::IcmpOther)]
#[case::short_echo(v4(1, &[8, 0, 0, 0, 0x12, 0x34, 0]), "icmp 10.0.0.1:0 > 10.0.0.2:0", Class::Short)]
#[case::short(v4(1, &[3, 3, 0]), "icmp 10.0.0.1:0 > 10.0.0.2:0", Class::Short)]
#[case::v6_request(v6(58, &[128, 0, 0, 0, 0, 7, 0, 1]), "icmpv6 [fd00::1]:7 > [fd00::2]:7", Class::IcmpEcho)]
#[case::v6_reply(v6(58, &[129, 0, 0, 0, 0, 7, 0, 1]), "icmpv6 [fd00::1]:7 > [fd00::2]:7", Class::IcmpEcho)]
#[case::v6_neighbour(v6(58, &[135, 0, 0, 0]), "icmpv6 [fd00::1]:0 > [fd00::2]:0", Class::IcmpOther)]
#[case::v6_type_of_v4(v6(58, &[8, 0, 0, 0, 0, 7, 0, 1]), "icmpv6 [fd00::1]:0 > [fd00::2]:0", Class::IcmpOther)]
#[case::wrong_version(v6(1, &[8, 0, 0, 0, 0, 7, 0, 1]), "icmp [fd00::1]:0 > [fd00::2]:0", Class::Other)]
#[case::gre(v4(47, &[0; 40]), "47 10.0.0.1:0 > 10.0.0.2:0", Class::Other)]
#[case::tunnel(v4(4, &v4(17, &UDP)), "4 10.0.0.1:0 > 10.0.0.2:0", Class::Other)]
fn icmp_and_others(#[case] packet: Vec<u8>, #[case] key: &str, #[case] class: Class) {
    assert_eq!(outcome(&packet), (key.to_owned(), class));
}

#[test]
fn only_first_fragments_have_ports() {
    let first = v4_with([0x20, 0], 28, 17, &UDP);
    assert_eq!(outcome(&first), (V4_KEY.into(), Class::Udp));
    let later = v4_with([0, 1], 28, 17, &UDP);
    assert_eq!(outcome(&later), ("udp 10.0.0.1:0 > 10.0.0.2:0".into(), Class::LaterFragment));
}

#[rstest]
#[case::hop_by_hop(0, vec![17, 0, 0, 0, 0, 0, 0, 0])]
#[case::routing(43, [&[17, 1][..], &[0; 14]].concat())]
#[case::destination(60, vec![17, 0, 0, 0, 0, 0, 0, 0])]
#[case::mobility(135, vec![17, 0, 0, 0, 0, 0, 0, 0])]
#[case::hip(139, vec![17, 0, 0, 0, 0, 0, 0, 0])]
#[case::shim6(140, vec![17, 0, 0, 0, 0, 0, 0, 0])]
#[case::first_fragment(44, vec![17, 0, 0, 1, 0, 0, 0, 9])]
#[case::two(0, vec![60, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0])]
#[case::behind_a_fragment(44, vec![60, 0, 0, 1, 0, 0, 0, 9, 17, 0, 0, 0, 0, 0, 0, 0])]
fn extension_headers_are_skipped(#[case] next: u8, #[case] headers: Vec<u8>) {
    assert_eq!(outcome(&v6(next, &[headers.as_slice(), &UDP].concat())), (V6_KEY.into(), Class::Udp));
}

#[rstest]
#[case::later_fragment(44, vec![17, 0, 0, 8, 0, 0, 0, 9], 17, Class::LaterFragment)]
#[case::cut_off(60, vec![17, 0, 0, 0, 0, 0, 0], 60, Class::Short)]
#[case::cut_off_fragment(44, vec![17, 0, 0, 0, 0, 0, 0], 44, Class::Short)]
#[case::longer_than_the_packet(60, vec![17, 9, 0, 0, 0, 0, 0, 0], 17, Class::Short)]
#[case::longer_than_the_packet_then_another(60, vec![0, 9, 0, 0, 0, 0, 0, 0], 0, Class::Short)]
#[case::longer_than_the_packet_then_final(60, vec![59, 9, 0, 0, 0, 0, 0, 0], 59, Class::Other)]
#[case::authentication_is_final(51, vec![17, 4, 0, 0, 0, 0, 0, 0], 51, Class::Other)]
#[case::encryption_is_final(50, vec![0; 8], 50, Class::Other)]
fn extension_headers_that_end_it(
    #[case] next: u8,
    #[case] headers: Vec<u8>,
    #[case] protocol: u8,
    #[case] class: Class,
) {
    let packet = parse(LinkType::RAW, &v6(next, &headers)).unwrap();
    assert_eq!((packet.key.protocol(), packet.class), (protocol, class));
    assert_eq!((packet.key.source().port(), packet.key.destination().port()), (0, 0));
}

#[test]
fn bytes_are_those_of_the_ip_header() {
    // Ethernet padding does not count, but payload that was cut off does.
    let padded = [ethernet(&[0x08, 0]), v4(17, &UDP), vec![0; 18]].concat();
    assert_eq!(parse(LinkType::ETHERNET, &padded).unwrap().ip_bytes, 28);
    assert_eq!(parse(LinkType::RAW, &v4_with([0, 0], 1500, 17, &UDP)).unwrap().ip_bytes, 1500);
    assert_eq!(parse(LinkType::RAW, &v6_with(1000, 17, &UDP)).unwrap().ip_bytes, 1040);
}

#[test]
fn a_length_of_zero_means_the_whole_frame() {
    let below = ethernet(&[0x81, 0, 0, 5, 0x08, 0]);
    let frame = [below, v4_with([0, 0], 0, 17, &UDP)].concat();
    let packet = IpPacket::parse(LinkType::ETHERNET, &frame, 70_018).unwrap();
    assert_eq!((packet.ip_bytes, packet.class), (70_000, Class::Udp));
    let nonsense = IpPacket::parse(LinkType::ETHERNET, &frame, 0).unwrap();
    assert_eq!((nonsense.ip_bytes, nonsense.class), (20, Class::Short), "never below the header's length");

    let frame = [ethernet(&[0x86, 0xdd]), v6_with(0, 17, &UDP)].concat();
    let packet = IpPacket::parse(LinkType::ETHERNET, &frame, 70_014).unwrap();
    assert_eq!((packet.ip_bytes, packet.class), (70_000, Class::Udp));
    assert_eq!(IpPacket::parse(LinkType::ETHERNET, &frame, 0).unwrap().ip_bytes, 40);
}

#[test]
fn l4_is_what_has_ports_to_tell_apart() {
    for (class, is_l4) in [
        (Class::Tcp, true),
        (Class::Udp, true),
        (Class::IcmpEcho, true),
        (Class::Sctp, false),
        (Class::IcmpOther, false),
        (Class::Other, false),
        (Class::LaterFragment, false),
        (Class::Short, false),
    ] {
        assert_eq!(class.is_l4(), is_l4, "{class:?}");
    }
}

/// The key and the tunnel of a raw IP packet.
fn inside(packet: &[u8], depth: u8) -> (String, Option<Tunnel>) {
    let layers = Layers::parse(LinkType::RAW, packet, packet.len() as u32, depth).unwrap();
    (layers.packet.key.to_string(), layers.tunnel)
}

/// A checksum, a key, a sequence number, and Ethernet.
const GRE_WITH_ALL: [u8; 16] = [0xb0, 0, 0x65, 0x58, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1];

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    let length = (8 + payload.len()) as u16;
    [&[0x11, 0x11, high, low], &length.to_be_bytes()[..], &[0, 0], payload].concat()
}

#[rstest]
#[case::ip_in_ip(TunnelKind::Ip, None, v4(4, &v4(17, &UDP)))]
#[case::ip_in_ipv6(TunnelKind::Ip, None, v6(4, &v4(17, &UDP)))]
#[case::gre(TunnelKind::Gre, None, v4(47, &[&[0, 0, 8, 0][..], &v4(17, &UDP)].concat()))]
#[case::gre_with_all(
    TunnelKind::Gre,
    Some(7),
    v4(47, &[&GRE_WITH_ALL[..], &ethernet(&[0x08, 0]), &v4(17, &UDP)].concat())
)]
#[case::vxlan(
    TunnelKind::Vxlan,
    Some(0x010203),
    v4(17, &udp(4789, &[&[8, 0, 0, 0, 1, 2, 3, 0][..], &ethernet(&[0x08, 0]), &v4(17, &UDP)].concat()))
)]
#[case::geneve(
    TunnelKind::Geneve,
    Some(5),
    v6(17, &udp(6081, &[&[1, 0, 8, 0, 0, 0, 5, 0, 9, 9, 9, 9][..], &v4(17, &UDP)].concat()))
)]
#[case::gtp_u(
    TunnelKind::GtpU,
    Some(9),
    v4(17, &udp(2152, &[&[0x34, 0xff, 0, 40, 0, 0, 0, 9, 0, 0, 0, 0x85, 1, 0, 0, 0][..], &v4(17, &UDP)].concat()))
)]
fn tunnels_are_opened(#[case] kind: TunnelKind, #[case] id: Option<u32>, #[case] packet: Vec<u8>) {
    let (outer, closed) = inside(&packet, 0);
    let (inner, tunnel) = inside(&packet, 1);
    assert_ne!(outer, V4_KEY);
    assert_eq!((closed, inner.as_str()), (None, V4_KEY));
    let tunnel = tunnel.unwrap();
    assert_eq!((tunnel.kind, tunnel.id), (kind, id));
    assert!(outer.contains(&tunnel.source.to_string()), "{outer}");
    // A tunnel whose inner header is cut off stays closed, wherever the cut is.
    for cut in 20..packet.len() - UDP.len() {
        let layers = Layers::parse(LinkType::RAW, &packet[..cut], packet.len() as u32, 1);
        assert!(layers.is_err() || layers.is_ok_and(|layers| layers.tunnel.is_none()), "cut at {cut}");
    }
}

#[test]
fn tunnels_in_tunnels_are_opened_to_the_depth_asked_for() {
    let packet = v4(4, &v4(41, &v6(41, &v6(17, &UDP))));
    for depth in 0..=8 {
        assert_eq!(inside(&packet, depth).0 == V6_KEY, depth >= 3, "{depth}");
    }
}

#[test]
fn tags_and_labels_are_noted() {
    let tags = |tail: &[u8]| {
        let frame = ethernet(&[tail, &v4(17, &UDP)].concat());
        Layers::parse(LinkType::ETHERNET, &frame, frame.len() as u32, 0).unwrap().tags
    };
    assert_eq!(tags(&[0x08, 0]), Tags::default());
    let qinq = tags(&[0x88, 0xa8, 0x70, 5, 0x81, 0, 0x0f, 0xff, 0x81, 0, 0, 9, 0x08, 0]);
    assert_eq!(qinq, Tags { vlans: [5, 4095], mpls: None });
    let mpls = tags(&[0x88, 0x47, 0x12, 0x34, 0x50, 1, 0, 0, 1, 1]);
    assert_eq!(mpls, Tags { vlans: [0, 0], mpls: Some(0x12345) });
}

#[test]
fn flags_lifetimes_and_fragments() {
    let tcp = [0x03, 0xe8, 0x07, 0xd0, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x12, 0, 9, 0, 0, 0, 0];
    let packet = parse(LinkType::RAW, &v4(6, &tcp)).unwrap();
    assert_eq!((packet.tcp_flags, packet.ttl, packet.fragment), (0x12, 64, Fragment::Whole));
    let first = parse(LinkType::RAW, &v4_with([0x20, 0], 28, 17, &UDP)).unwrap();
    assert_eq!((first.fragment, first.tcp_flags), (Fragment::First(1), 0));
    let later = parse(LinkType::RAW, &v4_with([0, 3], 28, 17, &UDP)).unwrap();
    assert_eq!(later.fragment, Fragment::Later(1));
    let v6_later = parse(LinkType::RAW, &v6(44, &[17, 0, 0, 9, 1, 2, 3, 4, 0, 0])).unwrap();
    assert_eq!((v6_later.fragment, v6_later.ttl), (Fragment::Later(0x0102_0304), 64));
}
