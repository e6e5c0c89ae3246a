use std::io::{self, Read};

use rstest::rstest;

use super::*;

const LITTLE: [u8; 4] = [0xd4, 0xc3, 0xb2, 0xa1];

/// What was read from a capture, each packet as (link type, nanoseconds, data, length on the wire), and why
/// reading ended.
type Outcome = (Vec<(u16, i128, Vec<u8>, u32)>, Option<(u64, String)>);

fn read(input: impl Read) -> Outcome {
    let mut packets = Vec::new();
    let mut capture = match Capture::new(input) {
        Ok(capture) => capture,
        Err(error) => return (packets, Some((error.offset, error.problem.to_string()))),
    };
    loop {
        match capture.next_packet() {
            Ok(Some(packet)) => {
                packets.push((packet.link.number(), packet.timestamp, packet.data.to_vec(), packet.wire_len));
            }
            Ok(None) => return (packets, None),
            Err(error) => return (packets, Some((error.offset, error.problem.to_string()))),
        }
    }
}

/// Little-endian words.
fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The same words in the other byte order.
fn swapped(words: &[u8]) -> Vec<u8> {
    words.chunks(4).flat_map(|word| word.iter().rev().copied()).collect()
}

fn pcap_header(magic: [u8; 4], minor: u16, link: u32) -> Vec<u8> {
    [&magic[..], &[2, 0], &minor.to_le_bytes(), &words(&[0, 0, 65_535, link])].concat()
}

fn pcap(records: &[u8]) -> Vec<u8> {
    [pcap_header(LITTLE, 4, 1), records.to_vec()].concat()
}

#[rstest]
#[case::microseconds(LITTLE, 1_000)]
#[case::nanoseconds([0x4d, 0x3c, 0xb2, 0xa1], 1)]
#[case::modified([0x34, 0xcd, 0xb2, 0xa1], 1_000)]
fn pcap_in_both_byte_orders(#[case] magic: [u8; 4], #[case] unit: i128) {
    let extra: &[u32] = if magic[1] == 0xcd { &[0, 0] } else { &[] };
    let record = [words(&[7, 5, 3, 60]), words(extra)].concat();
    let packet = vec![(101, 7_000_000_000 + 5 * unit, vec![1, 2, 3], 60)];

    let little = [pcap_header(magic, 4, 101), record.clone(), vec![1, 2, 3]].concat();
    assert_eq!(read(little.as_slice()), (packet.clone(), None));

    let [a, b, c, d] = magic;
    let header = [&[d, c, b, a, 0, 2, 0, 4][..], &swapped(&words(&[0, 0, 65_535, 101]))].concat();
    let big = [header, swapped(&record), vec![1, 2, 3]].concat();
    assert_eq!(read(big.as_slice()), (packet, None));
}

#[test]
fn the_upper_half_of_the_link_type_is_not_the_link_type() {
    let file = [pcap_header(LITTLE, 4, 0x2400_0001), words(&[0, 0, 0, 0])].concat();
    assert_eq!(read(file.as_slice()), (vec![(1, 0, vec![], 0)], None));
}

#[rstest]
#[case::always_before_2_3(2, [60, 3], 60)]
#[case::always_before_2_3_even_if_it_looks_wrong(2, [2, 3], 2)]
#[case::in_2_3_if_captured_were_longer(3, [60, 3], 60)]
#[case::in_2_3_not_otherwise(3, [3, 60], 60)]
fn old_files_have_the_lengths_swapped(#[case] minor: u16, #[case] lengths: [u32; 2], #[case] wire_len: u32) {
    let record = words(&[0, 0, lengths[0], lengths[1]]);
    let file = [pcap_header(LITTLE, minor, 1), record, vec![1, 2, 3]].concat();
    assert_eq!(read(file.as_slice()), (vec![(1, 0, vec![1, 2, 3], wire_len)], None));
}

#[test]
fn captured_may_exceed_the_length_on_the_wire() {
    let file = pcap(&[words(&[0, 0, 3, 2]), vec![1, 2, 3]].concat());
    assert_eq!(read(file.as_slice()), (vec![(1, 0, vec![1, 2, 3], 2)], None));
}

#[test]
fn the_largest_packet_is_read_and_a_larger_one_is_not() {
    let data = vec![7; CAPTURED_LIMIT as usize + 1];
    let largest = pcap(&[words(&[0, 0, CAPTURED_LIMIT, 9]), data[1..].to_vec()].concat());
    assert_eq!(read(largest.as_slice()), (vec![(1, 0, data[1..].to_vec(), 9)], None));
    let larger = pcap(&[words(&[0, 0, CAPTURED_LIMIT + 1, 9]), data].concat());
    let error = (24, "captured length 262145 above the limit of 262144".to_owned());
    assert_eq!(read(larger.as_slice()), (vec![], Some(error)));
}

#[rstest]
#[case::empty(vec![], "neither pcap nor pcapng")]
#[case::text(b"GIF89a, not a capture".to_vec(), "neither pcap nor pcapng")]
#[case::half_a_magic(vec![0xd4, 0xc3], "neither pcap nor pcapng")]
#[case::gzip(vec![0x1f, 0x8b, 8, 0], "compressed with gzip, decompress it first")]
#[case::short_header(pcap(&[])[..23].to_vec(), "file header cut off")]
fn not_a_capture(#[case] file: Vec<u8>, #[case] problem: &str) {
    assert_eq!(read(file.as_slice()), (vec![], Some((0, problem.to_owned()))));
}

#[test]
fn a_pcap_cut_anywhere_gives_the_packets_before_the_cut() {
    let record = [words(&[0, 0, 3, 3]), vec![1, 2, 3]].concat();
    let file = pcap(&record.repeat(2));
    for cut in 24..file.len() {
        let (packets, error) = read(&file[..cut]);
        let whole = (cut - 24) / record.len();
        assert_eq!(packets.len(), whole);
        let into = (cut - 24) % record.len();
        let what = if into < 16 { "record header cut off" } else { "record data cut off" };
        let expected = (into > 0).then(|| (24 + (whole * record.len()) as u64, what.to_owned()));
        assert_eq!(error, expected, "cut at {cut}");
    }
}

#[test]
fn a_failing_device_is_told_with_the_offset() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("it is on fire"))
        }
    }
    assert_eq!(read(Broken), (vec![], Some((0, "it is on fire".to_owned()))));
    let file = pcap(&[words(&[0, 0, 3, 3]), vec![1, 2, 3]].concat());
    let (packets, error) = read(file.as_slice().chain(Broken));
    assert_eq!((packets.len(), error), (1, Some((43, "it is on fire".to_owned()))));
}

/// Makes a block of this type with `body`, which is padded.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let body = [body, &vec![0; body.len().next_multiple_of(4) - body.len()]].concat();
    let length = 12 + body.len() as u32;
    [words(&[kind, length]), body, words(&[length])].concat()
}

fn section() -> Vec<u8> {
    block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]))
}

fn interface(link: u16, snaplen: u32, options: &[u8]) -> Vec<u8> {
    block(1, &[words(&[u32::from(link), snaplen]), options.to_vec()].concat())
}

fn enhanced(interface: u32, ticks: u64, lengths: [u32; 2], data: &[u8]) -> Vec<u8> {
    let fields = words(&[interface, (ticks >> 32) as u32, ticks as u32, lengths[0], lengths[1]]);
    block(6, &[fields, data.to_vec()].concat())
}

#[test]
fn pcapng_packets_of_all_kinds() {
    let simple = block(3, &[words(&[60]), vec![1, 2, 3, 4]].concat());
    let obsolete = block(2, &[words(&[0x0009_0001, 0, 8_000_000, 3, 61]), vec![5, 6, 7]].concat());
    let statistics = block(5, &[0xff; 20]);
    let file = [
        section(),
        interface(1, 3, &[]),
        enhanced(0, 5_000_001, [2, 59], &[8, 9]),
        statistics,
        interface(101, 0, &[]),
        simple,
        obsolete,
    ]
    .concat();
    let packets = vec![
        (1, 5_000_001_000, vec![8, 9], 59),
        // The packet has no time, and no more bytes than the snapshot length of the first interface.
        (1, 0, vec![1, 2, 3], 60),
        (101, 8_000_000_000, vec![5, 6, 7], 61),
    ];
    assert_eq!(read(file.as_slice()), (packets, None));
}

#[test]
fn simple_packets_end_where_the_packet_or_the_block_ends() {
    let simple = |original| block(3, &[words(&[original]), vec![1, 2, 3, 4]].concat());
    let file = [section(), interface(1, 0, &[]), simple(2), simple(9)].concat();
    let packets = vec![(1, 0, vec![1, 2], 2), (1, 0, vec![1, 2, 3, 4], 9)];
    assert_eq!(read(file.as_slice()), (packets, None));
}

#[test]
fn sections_have_byte_orders_and_interfaces_of_their_own() {
    let swapped_offset = [&[0, 14, 0, 8][..], &(-2i64).to_be_bytes()].concat();
    // An interface whose fields of 16 bits are written big-endian.
    let body = [&[0, 113, 0, 0, 0, 0, 0, 0][..], &swapped_offset].concat();
    let big_interface = [swapped(&words(&[1, 32])), body, swapped(&words(&[32]))].concat();
    let file = [
        section(),
        interface(1, 0, &[]),
        enhanced(0, 1, [0, 0], &[]),
        swapped(&section()),
        big_interface,
        swapped(&enhanced(0, 3_000_000, [4, 4], &[4, 3, 2, 1])),
        section(),
        enhanced(0, 1, [0, 0], &[]),
    ]
    .concat();
    let (packets, error) = read(file.as_slice());
    assert_eq!(packets, [(1, 1_000, vec![], 0), (113, 1_000_000_000, vec![1, 2, 3, 4], 4)]);
    assert_eq!(error.unwrap().1, "packet of unknown interface 0", "the third section has not described any");
}

#[rstest]
#[case::nanoseconds(vec![9, 0, 1, 0, 9, 0, 0, 0], 7)]
#[case::powers_of_two(vec![9, 0, 1, 0, 0x81, 0, 0, 0], 3_500_000_000)]
#[case::offset([&[14, 0, 8, 0][..], &100i64.to_le_bytes()].concat(), 100_000_007_000)]
#[case::behind_others(vec![2, 0, 3, 0, b'l', b'o', 0, 0, 9, 0, 1, 0, 9, 0, 0, 0], 7)]
#[case::behind_the_end(vec![0, 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0], 7_000)]
#[case::of_a_wrong_length(vec![9, 0, 2, 0, 9, 9, 0, 0], 7_000)]
#[case::longer_than_the_block(vec![9, 0, 0xff, 0xff, 9, 0, 0, 0], 7_000)]
fn interface_options(#[case] options: Vec<u8>, #[case] nanos: i128) {
    let file = [section(), interface(1, 0, &options), enhanced(0, 7, [0, 0], &[])].concat();
    assert_eq!(read(file.as_slice()), (vec![(1, nanos, vec![], 0)], None));
}

#[rstest]
#[case::byte_order(block(0x0a0d_0d0a, &[0; 16]), "bad byte-order magic [00, 00, 00, 00]")]
#[case::tiny_block(words(&[5, 8, 8]), "bad block length 8")]
#[case::odd_length(words(&[5, 13, 13, 13]), "bad block length 13")]
#[case::two_lengths(words(&[5, 12, 16]), "block lengths 12 and 16 differ")]
#[case::two_lengths_of_a_packet(words(&[6, 32, 0, 0, 0, 0, 0, 36]), "block lengths 32 and 36 differ")]
#[case::huge_packet_block(words(&[6, 0x0200_0000, 0]), "block length 33554432 above the limit of 16777216")]
#[case::short_interface(block(1, &[1, 0, 0, 0]), "malformed interface description block")]
#[case::short_packet(block(6, &[0; 16]), "malformed enhanced packet block")]
#[case::data_beyond_the_block(enhanced(0, 0, [5, 5], &[1, 2, 3, 4]), "malformed enhanced packet block")]
#[case::captured_length_overflows(enhanced(0, 0, [u32::MAX, 5], &[1, 2]), "malformed enhanced packet block")]
#[case::large_packet(
    enhanced(0, 0, [CAPTURED_LIMIT + 1, 5], &[0; CAPTURED_LIMIT as usize + 4]),
    "captured length 262145 above the limit of 262144"
)]
#[case::short_simple(block(3, &[]), "malformed simple packet block")]
#[case::short_obsolete(block(2, &[0; 16]), "malformed packet block")]
#[case::obsolete_beyond_the_block(block(2, &words(&[0, 0, 0, 5, 5, 0])), "malformed packet block")]
#[case::unknown_interface(enhanced(1, 0, [0, 0], &[]), "packet of unknown interface 1")]
fn bad_pcapng(#[case] bad: Vec<u8>, #[case] problem: &str) {
    let before = [section(), interface(1, 0, &[]), enhanced(0, 0, [0, 0], &[])].concat();
    let (packets, error) = read([before.as_slice(), &bad].concat().as_slice());
    assert_eq!((packets.len(), error), (1, Some((before.len() as u64, problem.to_owned()))));
}

#[test]
fn simple_packets_need_an_interface() {
    let file = [section(), block(3, &words(&[0]))].concat();
    assert_eq!(read(file.as_slice()).1, Some((28, "packet of unknown interface 0".to_owned())));
}

#[test]
fn a_pcapng_cut_anywhere_gives_the_packets_before_the_cut() {
    let head = [section(), interface(1, 0, &[])].concat();
    let packet = enhanced(0, 1, [3, 3], &[1, 2, 3]);
    let ignored = block(0x0bad_cafe, &[0; 40]);
    let file = [head.as_slice(), &packet, &ignored, &packet].concat();
    let ends = [head.len(), head.len() + packet.len(), file.len() - packet.len(), file.len()];
    for cut in 1 + section().len()..file.len() {
        let (packets, error) = read(&file[..cut]);
        assert_eq!(packets.len(), ends[1..].iter().step_by(2).filter(|end| **end <= cut).count(), "cut at {cut}");
        let boundary = ends.contains(&cut);
        assert_eq!(error.is_none(), boundary, "cut at {cut}: {error:?}");
        assert!(error.is_none_or(|(_, problem)| problem.ends_with("cut off")), "cut at {cut}");
    }
}

#[test]
fn blocks_of_no_use_are_skipped_whatever_their_length() {
    struct Zeros;
    impl Read for Zeros {
        fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
            space.fill(0);
            Ok(space.len())
        }
    }
    let length = 64 * 1024 * 1024;
    let head = words(&[0x0bad_cafe, length]);
    let body = Zeros.take(u64::from(length) - 12);
    let tail = [words(&[length]), interface(1, 0, &[]), enhanced(0, 1, [0, 0], &[])].concat();
    let file = [section(), head].concat();
    let (packets, error) = read(file.as_slice().chain(body).chain(tail.as_slice()));
    assert_eq!((packets.len(), error), (1, None));
}

/// A stream that has no end.
struct Endless {
    unit: Vec<u8>,
    place: usize,
}

impl Endless {
    fn new(unit: Vec<u8>) -> Self {
        Self { unit, place: 0 }
    }
}

impl Read for Endless {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let count = (&self.unit[self.place..]).read(space)?;
        self.place = (self.place + count) % self.unit.len();
        Ok(count)
    }
}

#[test]
fn a_section_has_so_many_interfaces_and_no_more() {
    let endless = Endless::new(interface(1, 0, &[]));
    let length = endless.unit.len();
    let (packets, error) = read(section().as_slice().chain(endless));
    let offset = (section().len() + INTERFACE_LIMIT * length) as u64;
    assert_eq!((packets, error), (vec![], Some((offset, "more than 65536 interfaces in a section".to_owned()))));

    let full = [section(), interface(1, 0, &[]).repeat(INTERFACE_LIMIT)].concat();
    let last = enhanced(INTERFACE_LIMIT as u32 - 1, 0, [0, 0], &[]);
    let (packets, error) = read([full.as_slice(), &last, &full, &last].concat().as_slice());
    assert_eq!((packets.len(), error), (2, None), "each section may have so many");
}

#[test]
fn formats_in_words() {
    let describe = |file: &[u8]| {
        let mut capture = Capture::new(file).unwrap();
        while let Ok(Some(_)) = capture.next_packet() {}
        capture.describe()
    };
    assert_eq!(describe(&pcap(&[])), "pcap, µs, little-endian, Ethernet");
    let modified = [&[0xa1, 0xb2, 0xcd, 0x34, 0, 2, 0, 4][..], &[0; 15], &[9]].concat();
    assert_eq!(describe(&modified), "pcap, µs, big-endian, modified, PPP");
    assert_eq!(describe(&[section(), interface(113, 0, &[])].concat()), "pcapng, little-endian, Linux cooked");
    let two = [section(), interface(1, 0, &[]), interface(1, 0, &[])].concat();
    assert_eq!(describe(&two), "pcapng, little-endian, 2 interfaces");
}
