//! The capture in `testdata/` contains what another program, written independently, found in it.

use flow_table_cli::direction::FlowDirection;
use flow_table_cli::protocols::Protocols;
use rstest::rstest;

use crate::common;

const LOOPBACK: &[u8] = include_bytes!("../../../testdata/loopback.pcap");

#[rstest]
#[case("1s", FlowDirection::Uni, Protocols::All, [251, 223, 3],
    "a73f81ac7f2701112eb466b60bfd06a171d02543b66a35c02c9a5cc3a415568d")]
#[case("1s", FlowDirection::Bidi, Protocols::All, [135, 115, 3],
    "f8441f004dda589d421c0fe4f2a72a2a1e41f38f9a0b722d129248ccb869a7c2")]
#[case("5s", FlowDirection::Uni, Protocols::All, [245, 224, 23],
    "84659c1f6afb12da303a91fb1f7382053bf9589c76de82e536841091e4738ef7")]
#[case("5s", FlowDirection::Bidi, Protocols::All, [129, 116, 15],
    "983735b3829996aededf1d1003652edc433c4c24c3b9116edb6cc4846d425e57")]
#[case("0", FlowDirection::Uni, Protocols::All, [245, 245, 245],
    "84659c1f6afb12da303a91fb1f7382053bf9589c76de82e536841091e4738ef7")]
#[case("1s", FlowDirection::Uni, Protocols::L4, [244, 219, 2],
    "e7d9680115b479b012cf146ddaa46b838ea6cfc448c9b17174b4f018bcdf1f02")]
#[case("1s", FlowDirection::Bidi, Protocols::L4, [128, 111, 2],
    "aa4b23ae8a0de6c3a02e0d9af3f2911cbdfe32ec3dd11a4c0cc1f228abfbf1b2")]
#[case("5s", FlowDirection::Bidi, Protocols::L4, [124, 112, 13],
    "fa417e5ac5f42864d2549c869f5e162d2e6c47497a356243b7ec0a595e546c79")]
fn loopback(
    #[case] timeout: &str,
    #[case] direction: FlowDirection,
    #[case] protocols: Protocols,
    #[case] counts: [u64; 3],
    #[case] digest: &str,
) {
    for &backend in common::backends() {
        let (summary, lines) = common::replay(backend, LOOPBACK, &common::options(timeout, direction, protocols));
        assert_eq!((summary.frames.packets, summary.frames.bytes, summary.ip_packets()), (417, 240_124, 417));
        let selected = (summary.selected.packets, summary.selected.ip_bytes, summary.selected.wire_bytes);
        assert_eq!(
            selected,
            match protocols {
                Protocols::All => (417, 234_286, 240_124),
                Protocols::L4 => (393, 212_812, 218_314),
            }
        );
        let totals = &summary.totals;
        assert_eq!([totals.flows, totals.peak_live as u64, totals.live_at_end as u64], counts, "{backend}");
        assert_eq!(common::digest(&lines), digest, "{backend}");
    }
}

#[test]
fn a_full_table_refuses_and_counts() {
    let mut options = common::options("0", FlowDirection::Uni, Protocols::All);
    options.capacity = 100;
    for &backend in common::backends() {
        let (summary, lines) = common::replay(backend, LOOPBACK, &options);
        assert_eq!((summary.totals.flows, lines.len(), summary.totals.peak_live), (100, 100, 100));
        let packets: u64 = lines.iter().map(|line| line.split('\t').nth(7).unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!(packets + summary.totals.refused, 417, "each packet is a flow's or refused");
        assert!(summary.totals.refused >= 145, "at least one packet of each of the other flows");
    }
}
