use std::io::{self, BufRead, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Decompressed bytes that are always allowed.
const FREE: u64 = 256 << 20;
/// Decompressed bytes for each compressed byte beyond that. Gzip cannot reach 1,100, and captures do not come
/// near.
const RATIO: u64 = 2_000;

/// What a decompressor may produce, in relation to what it has consumed.
#[derive(Clone, Debug, Default)]
pub(super) struct Consumed(Arc<AtomicU64>);

/// Counts what a decompressor consumes.
pub(super) struct Counted<R> {
    input: R,
    consumed: Consumed,
}

impl<R> Counted<R> {
    pub(super) fn new(input: R) -> (Self, Consumed) {
        let consumed = Consumed::default();
        (Self { input, consumed: consumed.clone() }, consumed)
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(space)?;
        self.consumed.0.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.consumed.0.fetch_add(count as u64, Ordering::Relaxed);
        self.input.consume(count);
    }
}

/// A decompressor's output, which ends with an error if it grows out of proportion.
pub(super) struct Guarded<R> {
    output: R,
    produced: u64,
    consumed: Consumed,
}

impl<R> Guarded<R> {
    pub(super) const fn new(output: R, consumed: Consumed) -> Self {
        Self { output, produced: 0, consumed }
    }
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let count = self.output.read(space)?;
        self.produced += count as u64;
        let allowed = self.consumed.0.load(Ordering::Relaxed).saturating_mul(RATIO).saturating_add(FREE);
        if self.produced > allowed {
            let text = format!("compressed more than {RATIO}:1, which captures are not; decompress it first");
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        Ok(count)
    }
}
