//! A capture, from its beginning and in pieces.

use std::io::{self, ErrorKind, Read};

use flow_table_cli::packet::LinkType;
use flow_table_cli::read::{CAPTURED_LIMIT, Capture, Problem, ReadError};

use crate::packet;

/// What was read from a capture.
#[derive(Debug)]
struct Reading {
    packets: Vec<(LinkType, i128, Vec<u8>, u32)>,
    error: Option<ReadError>,
    end: u64,
}

/// Reads a capture: at once, in small pieces, and cut off.
pub fn check(bytes: &[u8]) {
    let whole = read(bytes);
    for (link, _, frame, wire_len) in &whole.packets {
        packet::check_frame(*link, frame, *wire_len);
    }

    let trickled = read(Trickle { rest: bytes, interrupted: false });
    assert_eq!(trickled.packets, whole.packets);
    assert_eq!((in_words(&trickled), trickled.end), (in_words(&whole), whole.end));

    for cut in [bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let part = read(&bytes[..cut]);
        assert!(whole.packets.starts_with(&part.packets), "{part:?} of {whole:?}");
        let cut_off = match &part.error {
            None => true,
            Some(ReadError { problem: Problem::HeaderCutOff | Problem::NotACapture, offset, .. }) => *offset == 0,
            Some(error) => error.is_cut_off(),
        };
        assert!(cut_off || in_words(&part) == in_words(&whole), "{part:?} of {whole:?}");
    }
}

fn read(input: impl Read + Bounded) -> Reading {
    let len = input.len();
    let mut reading = Reading { packets: Vec::new(), error: None, end: 0 };
    let mut capture = match Capture::new(input) {
        Ok(capture) => capture,
        Err(error) => return Reading { error: Some(error), ..reading },
    };
    loop {
        match capture.next_packet() {
            Ok(Some(packet)) => {
                assert!(packet.data.len() <= CAPTURED_LIMIT as usize);
                reading.packets.push((packet.link, packet.timestamp, packet.data.to_vec(), packet.wire_len));
            }
            Ok(None) => break,
            Err(error) => {
                reading.error = Some(error);
                break;
            }
        }
        assert!(capture.offset() > reading.end, "no progress");
        reading.end = capture.offset();
    }
    reading.end = capture.offset();
    assert!(reading.end <= len && reading.error.as_ref().is_none_or(|error| error.offset <= reading.end));
    assert!(reading.error.is_some() || reading.end == len, "{reading:?} of {len} bytes");
    assert!(!capture.describe().is_empty());
    reading
}

fn in_words(reading: &Reading) -> Option<String> {
    reading.error.as_ref().map(ToString::to_string)
}

trait Bounded {
    fn len(&self) -> u64;
}

impl Bounded for &[u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }
}

/// Returns a few bytes at a time, with an interruption before each time.
struct Trickle<'b> {
    rest: &'b [u8],
    interrupted: bool,
}

impl Bounded for Trickle<'_> {
    fn len(&self) -> u64 {
        self.rest.len() as u64
    }
}

impl Read for Trickle<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(ErrorKind::Interrupted.into());
        }
        let few = space.len().min(3);
        self.rest.read(&mut space[..few])
    }
}
