//! Compressed captures, recognized by their content.

use std::fmt;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;

use super::bomb::{Counted, Guarded};
use super::zstd;

/// A kind of compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Gzip (RFC 1952), one or several members.
    Gzip,
    /// Zstandard (RFC 8878), one or several frames.
    Zstd,
    /// LZ4 frames.
    Lz4,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
        })
    }
}

impl Compression {
    /// The compression of a file with these first four bytes.
    fn of(magic: [u8; 4]) -> Option<Self> {
        match magic {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            zstd::MAGIC => Some(Self::Zstd),
            [0x04, 0x22, 0x4d, 0x18] | [0x02, 0x21, 0x4c, 0x18] => Some(Self::Lz4),
            _ => None,
        }
    }
}

/// The buffer before a decompressor, in bytes.
const BUFFER: usize = 128 << 10;

/// Returns the decompressed bytes of `input`, or `input` itself if it is not compressed. Waits for the first four
/// bytes.
///
/// Decompression takes at most 130 MiB of memory: a zstd frame that asks for a larger window is refused. What
/// comes out is refused, too, when it is 256 MiB and 2,000 times more than what went in.
///
/// # Errors
///
/// Returns the errors of `input`.
pub fn decompress(mut input: Box<dyn Read + Send>) -> io::Result<(Box<dyn Read + Send>, Option<Compression>)> {
    let mut magic = [0; 4];
    let mut filled = 0;
    while filled < magic.len() {
        match input.read(&mut magic[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if is_idle(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let whole = Cursor::new(magic).take(filled as u64).chain(input);
    let Some(compression) = Compression::of(magic).filter(|_| filled == magic.len()) else {
        return Ok((Box::new(whole), None));
    };
    let (input, consumed) = Counted::new(BufReader::with_capacity(BUFFER, Patient(whole)));
    let decompressed: Box<dyn Read + Send> = match compression {
        Compression::Gzip => Box::new(Guarded::new(MultiGzDecoder::new(input), consumed)),
        Compression::Zstd => Box::new(Guarded::new(zstd::Frames::new(input), consumed)),
        Compression::Lz4 => Box::new(Guarded::new(Lz4Frames(FrameDecoder::new(input)), consumed)),
    };
    Ok((decompressed, Some(compression)))
}

/// Nothing has arrived yet, or a signal came.
pub(super) fn is_idle(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Waits until there is something. Decompressors do not survive an error in the middle of a block.
struct Patient<R>(R);

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(space) {
                Err(error) if is_idle(&error) => {}
                result => return result,
            }
        }
    }
}

/// The decoder returns zero bytes after each frame, and goes on if there is another one.
struct Lz4Frames<R: Read>(FrameDecoder<R>);

impl<R: BufRead> Read for Lz4Frames<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.0.read(space)?;
            if count > 0 || space.is_empty() || self.0.get_mut().fill_buf()?.is_empty() {
                return Ok(count);
            }
        }
    }
}
