//! Files, pipes and standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::decompress::{Compression, decompress};
use super::follow::Follow;
use super::pump::Pump;
use crate::control::Control;

/// The name of standard input on the command line.
pub const STDIN: &str = "-";

/// An open input.
pub struct Input {
    /// Its bytes, decompressed.
    pub bytes: Box<dyn Read + Send>,
    /// How it was compressed.
    pub compression: Option<Compression>,
    /// Its length before decompression, unless it is a pipe.
    pub len: Option<u64>,
    /// How many bytes were read, before decompression.
    pub read: Meter,
}

/// A count of bytes that grows while others look at it.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<AtomicU64>);

impl Meter {
    /// The count now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Metered<R>(R, Meter);

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(space)?;
        self.1.0.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Opens the file at `path`, or standard input if that is `-`. If `follow`, a regular file does not end before
/// `control` says so.
///
/// # Blocking
///
/// Waits until the other end of a pipe is open and the first four bytes are there.
///
/// # Errors
///
/// Returns the errors of the system.
pub fn open(path: &Path, follow: bool, control: &Control) -> io::Result<Input> {
    let read = Meter::default();
    let (bytes, len): (Box<dyn Read + Send>, _) = if path == Path::new(STDIN) {
        (Box::new(Pump::start(Metered(io::stdin(), read.clone()), control)?), None)
    } else {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let file = Metered(file, read.clone());
        match (metadata.is_file(), follow) {
            (true, false) => (Box::new(file), Some(metadata.len())),
            (true, true) => (Box::new(Follow::new(file, control)), None),
            (false, _) => (Box::new(Pump::start(file, control)?), None),
        }
    };
    let (bytes, compression) = decompress(bytes)?;
    Ok(Input { bytes, compression, len, read })
}
