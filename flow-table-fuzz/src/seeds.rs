//! Makes inputs from captures.

use flow_table_cli::read::Capture;

use crate::packet;

/// Captures are cut to this many bytes, between packets.
const CAPTURE: u64 = 1_500;
/// Frames are cut to this many bytes.
const FRAME: usize = 160;
/// The number of frames taken from a capture.
const FRAMES: usize = 64;

/// The inputs for the targets that read captures, each with the target's name.
pub fn of(file: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = Vec::new();
    let Ok(mut capture) = Capture::new(file) else { return seeds };
    let mut end = 0;
    for _ in 0..FRAMES {
        let Ok(Some(packet)) = capture.next_packet() else { break };
        let frame = &packet.data[..packet.data.len().min(FRAME)];
        seeds.push(("packet", packet::encode(packet.link, packet.wire_len, frame)));
        if capture.offset() <= CAPTURE {
            end = capture.offset();
        }
    }
    let beginning = &file[..usize::try_from(end).unwrap_or(0)];
    seeds.push(("capture", beginning.to_vec()));
    seeds.push(("replay", [&[0b11_0110], beginning].concat()));
    seeds
}
