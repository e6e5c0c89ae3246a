use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::decompress::{Compression, decompress};
use super::merge::Merged;
use super::pump::Pump;
use super::sort::Sorted;
use crate::control::Control;
use crate::read::{Capture, Packets};

/// A capture of empty frames at these microseconds.
fn capture(times: &[u32]) -> Vec<u8> {
    let header = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 1];
    let records = times.iter().flat_map(|time| [time / 1_000_000, time % 1_000_000, 0, 0]);
    header.into_iter().chain(records).flat_map(u32::to_le_bytes).collect()
}

fn reading(bytes: Vec<u8>) -> Box<dyn Read + Send> {
    Box::new(Cursor::new(bytes))
}

fn compress(kind: Compression, bytes: &[u8]) -> Vec<u8> {
    match kind {
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest),
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
    }
}

/// Returns a few bytes at a time, and is idle before each time.
struct Trickle(Cursor<Vec<u8>>, bool);

impl Read for Trickle {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let few = space.len().min(3);
        self.0.read(&mut space[..few])
    }
}

fn times(packets: &mut dyn Packets) -> Vec<i128> {
    let mut times = Vec::new();
    loop {
        match packets.next_packet() {
            Ok(Some(packet)) => times.push(packet.timestamp / 1_000),
            Ok(None) => return times,
            Err(error) if error.is_idle() => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[rstest]
fn parts_and_pieces(
    #[values(Compression::Gzip, Compression::Zstd, Compression::Lz4)] kind: Compression,
    #[values(1, 3)] parts: usize,
) {
    let bytes: Vec<u8> = (0..200_000u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
    let compressed: Vec<u8> =
        bytes.chunks(bytes.len().div_ceil(parts)).flat_map(|part| compress(kind, part)).collect();
    assert!(compressed.len() < bytes.len());
    for input in [reading(compressed.clone()), Box::new(Trickle(Cursor::new(compressed.clone()), false))] {
        let (mut output, found) = decompress(input).unwrap();
        let mut whole = Vec::new();
        output.read_to_end(&mut whole).unwrap();
        assert_eq!(found, Some(kind));
        assert!(whole == bytes);
    }
    let (mut cut, _) = decompress(reading(compressed[..compressed.len() - 5].to_vec())).unwrap();
    let mut part = Vec::new();
    let _ = cut.read_to_end(&mut part);
    assert!(bytes.starts_with(&part), "what comes before the cut is right");
}

#[test]
fn skippable_frames_of_zstd_are_skipped() {
    let skippable = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let frame = |text: &[u8]| compress(Compression::Zstd, text);
    let input = [frame(b"one "), skippable, frame(b"two")].concat();
    let mut text = String::new();
    decompress(reading(input)).unwrap().0.read_to_string(&mut text).unwrap();
    assert_eq!(text, "one two");
}

#[test]
fn short_and_plain_input_stays_as_it_is() {
    for bytes in [&b""[..], &[0x1f], &[0x28, 0xb5, 0x2f], b"plain"] {
        let (mut output, found) = decompress(reading(bytes.to_vec())).unwrap();
        let mut whole = Vec::new();
        output.read_to_end(&mut whole).unwrap();
        assert_eq!((whole.as_slice(), found), (bytes, None));
    }
}

/// A frame of run-length blocks: 4 bytes stand for 128 KiB.
#[test]
fn a_bomb_is_refused() {
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x38];
    bomb.extend([0x02, 0x00, 0x10, 0].repeat(3_000));
    let (mut output, _) = decompress(reading(bomb)).unwrap();
    let error = io::copy(&mut output, &mut io::sink()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    assert!(error.to_string().contains("2000:1"), "{error}");
}

#[test]
fn a_window_that_takes_too_much_memory_is_refused() {
    // The window descriptor stands for 2 GiB.
    let (mut output, _) = decompress(reading(vec![0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0])).unwrap();
    assert_eq!(output.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::InvalidData);
}

#[test]
fn a_pump_is_idle_until_bytes_come_and_ends_on_request() {
    let (reader, mut writer) = io::pipe().unwrap();
    let control = Control::default();
    let mut pump = Pump::start(reader, &control).unwrap();
    let mut space = [0; 8];
    assert_eq!(pump.read(&mut space).unwrap_err().kind(), ErrorKind::WouldBlock);
    writer.write_all(b"abc").unwrap();
    let count = loop {
        match pump.read(&mut space) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => break result.unwrap(),
        }
    };
    assert_eq!(&space[..count], b"abc");
    control.pipe_closed();
    assert_eq!(pump.read(&mut space).unwrap(), 0, "although the pipe is still open");
    drop(writer);
}

#[test]
fn merging_goes_on_when_one_capture_is_broken() {
    let broken = [capture(&[3, 8]), vec![0xff; 16]].concat();
    let inputs = [("a", capture(&[1, 5, 9])), ("b", broken), ("c", capture(&[]))];
    let inputs = inputs.map(|(name, bytes)| (name.to_owned(), Capture::new(Cursor::new(bytes)).unwrap()));
    let mut merged = Merged::new(inputs);
    let (mut seen, mut errors) = (Vec::new(), Vec::new());
    loop {
        match merged.next_packet() {
            Ok(Some(packet)) => seen.push(packet.timestamp / 1_000),
            Ok(None) => break,
            Err(error) => {
                assert!(merged.goes_on());
                errors.push(error.to_string());
            }
        }
    }
    assert_eq!(seen, [1, 3, 5, 8, 9]);
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with("b: captured length 4294967295"), "{errors:?}");
    assert!(!merged.goes_on());
}

proptest! {
    #[test]
    fn merged_captures_are_in_order_and_complete(
        captures in prop::collection::vec(prop::collection::vec(0u32..50, 0..20), 1..5),
    ) {
        let mut expected: Vec<_> = captures.iter().flatten().map(|time| i128::from(*time)).collect();
        let inputs = captures.iter().map(|times| {
            let mut times = times.clone();
            times.sort_unstable();
            let trickle = Trickle(Cursor::new(capture(&times)), false);
            (String::new(), Capture::new(trickle).expect("a capture"))
        });
        expected.sort_unstable();
        prop_assert_eq!(times(&mut Merged::new(inputs)), expected);
    }

    #[test]
    fn sorting_is_right_within_the_window(steps in prop::collection::vec((0u32..5, 0u32..20), 0..60)) {
        let mut now = 100;
        let mut shuffled = Vec::new();
        for (step, back) in steps {
            now += step;
            shuffled.push(now - back);
        }
        let mut sorted = shuffled.clone();
        sorted.sort_unstable();
        let packets = Capture::new(Cursor::new(capture(&shuffled))).expect("a capture");
        let found = times(&mut Sorted::new(packets, Duration::from_micros(20)));
        prop_assert_eq!(found, sorted.into_iter().map(i128::from).collect::<Vec<_>>());
    }
}
