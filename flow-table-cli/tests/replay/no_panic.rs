//! Readers and parsers do not panic on any bytes, and the packets of every readable prefix count.

use flow_table_cli::direction::FlowDirection;
use flow_table_cli::packet::{IpPacket, LinkType};
use flow_table_cli::protocols::Protocols;
use flow_table_cli::read::{CAPTURED_LIMIT, Capture};
use proptest::prelude::*;

use crate::common;

fn any_link() -> impl Strategy<Value = LinkType> {
    prop_oneof![9 => prop::sample::select(LinkType::KNOWN), 1 => any::<u16>().prop_map(LinkType::new)]
}

/// Bytes that often look like headers.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let headers = prop::sample::select(vec![
        vec![0x08, 0x00],
        vec![0x86, 0xdd],
        vec![0x81, 0x00, 0, 1],
        vec![0x88, 0x47, 0, 0, 1, 0],
        vec![0x88, 0x64, 0x11, 0, 0, 1, 0, 9, 0, 0x21],
        vec![0, 9, 0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0],
        vec![0x45, 0, 0, 40, 0, 0, 0, 0, 9, 6, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
        vec![0x46, 0, 0, 0, 0, 0, 0x20, 0, 9, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0],
        [vec![0x60, 0, 0, 0, 0, 60, 44, 9], vec![1; 32]].concat(),
        vec![60, 0, 0, 1, 0, 0, 0, 0],
        vec![43, 200, 0, 0, 0, 0, 0, 0],
        vec![2, 0, 0, 0],
        vec![0xff, 3, 0, 0x57],
        vec![0x8f, 0, 0x86, 0xdd],
        vec![0; 12],
        vec![0; 14],
    ]);
    let piece = prop_oneof![3 => headers, 1 => prop::collection::vec(any::<u8>(), 0..24)];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// The beginning of a capture of either format and byte order, then words that often look like records and blocks.
fn capture() -> impl Strategy<Value = Vec<u8>> {
    let beginning = prop::sample::select(vec![
        vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0],
        vec![0xa1, 0xb2, 0xcd, 0x34, 0, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 101],
        vec![0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0],
        words(&[0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, 0, 0, 28, 1, 20, 1, 0, 20]),
        words(&[0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, 0, 0, 28, 1, 36, 101, 9, 0x8009, 0xff, 0x8000e, 1, 9, 36]),
        words(&[0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, 0, 0, 28, 1, 20, 1, 0, 20])
            .chunks(4)
            .flat_map(|word| word.iter().rev().copied())
            .collect(),
        vec![],
    ]);
    let word = prop_oneof![0u32..8, 12u32..64, Just(CAPTURED_LIMIT), Just(0x0a0d_0d0a), any::<u32>()];
    let little = any::<bool>();
    let rest = prop::collection::vec(word, 0..60);
    (beginning, rest, little, 0usize..4).prop_map(|(mut bytes, rest, little, extra)| {
        bytes.extend(rest.iter().flat_map(|word| if little { word.to_le_bytes() } else { word.to_be_bytes() }));
        bytes.extend(std::iter::repeat_n(0, extra));
        bytes
    })
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The number of packets read, and where reading ended.
fn read(bytes: &[u8]) -> (usize, u64) {
    let Ok(mut capture) = Capture::new(bytes) else { return (0, 0) };
    let mut packets = 0;
    while let Ok(Some(packet)) = capture.next_packet() {
        assert!(packet.data.len() <= CAPTURED_LIMIT as usize);
        packets += 1;
    }
    (packets, capture.offset())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn parsing_any_frame(link in any_link(), frame in frame(), wire_len: u32) {
        if let Ok(packet) = IpPacket::parse(link, &frame, wire_len) {
            // The longest packet that a header can tell of, or that the frame can hold.
            prop_assert!(packet.ip_bytes <= 65_575.max(wire_len.into()));
            prop_assert!(packet.ip_bytes >= 20);
        }
    }

    #[test]
    fn reading_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read(&bytes);
    }

    #[test]
    fn reading_any_capture(bytes in capture()) {
        let (_, offset) = read(&bytes);
        prop_assert!(offset <= bytes.len() as u64);
    }

    #[test]
    fn more_bytes_never_mean_fewer_packets(bytes in capture(), cut: prop::sample::Index) {
        let cut = cut.index(bytes.len() + 1);
        prop_assert!(read(&bytes[..cut]).0 <= read(&bytes).0);
    }
}

proptest! {
    #[test]
    fn replaying_any_capture(bytes in capture(), capacity in 0usize..4) {
        for &backend in common::backends() {
            let mut options = common::options("1s", FlowDirection::Bidi, Protocols::All);
            options.capacity = capacity;
            let (summary, lines) = common::replay(backend, &bytes, &options);
            prop_assert!(summary.totals.peak_live <= capacity);
            let in_bins = summary.series.bins().iter().map(|bin| bin.packets).sum::<u64>();
            prop_assert_eq!(summary.frames.packets, in_bins);
            prop_assert_eq!(summary.totals.flows, lines.len() as u64);
        }
    }
}
