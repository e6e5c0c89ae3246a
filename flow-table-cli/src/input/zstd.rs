use std::io::{self, BufRead, Cursor, ErrorKind, Read};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// The magic number of a frame.
pub(super) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The largest window that a frame may ask for, as for the program `zstd`.
const WINDOW_LIMIT: u64 = 128 << 20;

/// Decompresses the frames of a Zstandard file (RFC 8878), one after the other. Skips skippable frames.
pub(super) struct Frames<R> {
    input: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(input: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW_LIMIT);
        Self { input, decoder, in_frame: false }
    }

    /// Begins the next frame. Returns `false` at the end of the input.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.input.fill_buf()?.is_empty() {
                return Ok(false);
            }
            let mut magic = [0; 4];
            self.input.read_exact(&mut magic)?;
            match magic {
                MAGIC => {
                    let header = Cursor::new(magic).chain(&mut self.input);
                    self.decoder.init(header).map_err(invalid)?;
                    self.in_frame = true;
                    return Ok(true);
                }
                [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
                    let mut length = [0; 4];
                    self.input.read_exact(&mut length)?;
                    let length = u64::from(u32::from_le_bytes(length));
                    if io::copy(&mut (&mut self.input).take(length), &mut io::sink())? < length {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
                _ => return Err(io::Error::new(ErrorKind::InvalidData, "no zstd frame after the last one")),
            }
        }
    }
}

/// The decoder does not tell a cut-off frame from a broken one except by the kind of the error within.
fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if inner.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::UnexpectedEof) {
            return ErrorKind::UnexpectedEof.into();
        }
        cause = inner.source();
    }
    io::Error::new(ErrorKind::InvalidData, error)
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if space.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame && !self.begin()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.input, one).map_err(invalid)?;
            }
            let count = self.decoder.read(space)?;
            if count > 0 {
                return Ok(count);
            }
            self.in_frame = false;
        }
    }
}
