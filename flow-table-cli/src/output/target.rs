//! Files, standard output, and collectors.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::collector::{Collector, Lost};
use crate::control::Control;

/// A place for records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file, which is created or overwritten.
    File(PathBuf),
    /// A collector of IPFIX or NetFlow.
    Collector(Collector),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("standard output"),
            Self::File(path) => path.display().fmt(f),
            Self::Collector(collector) => collector.address.fmt(f),
        }
    }
}

impl Target {
    /// The target with this name: `-` and the system's own names of standard output mean standard output, and
    /// `udp://HOST:PORT` and `tcp://HOST:PORT` a collector.
    pub fn of(path: &Path) -> Self {
        if let Some(collector) = path.to_str().and_then(Collector::of) {
            return Self::Collector(collector);
        }
        let names = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
        if names.iter().any(|name| path == Path::new(name)) { Self::Stdout } else { Self::File(path.to_owned()) }
    }

    /// Opens it. If the reader of a pipe goes away, nothing more is written, and `control` is told.
    /// Datagrams that cannot be sent are counted in `lost`.
    ///
    /// # Errors
    ///
    /// Returns the error of the system, with the file's name.
    pub fn open(&self, control: &Control, lost: &Lost) -> Result<Box<dyn Write>> {
        let output: Box<dyn Write> = match self {
            Self::Stdout => Box::new(io::stdout().lock()),
            Self::File(path) => Box::new(File::create(path).with_context(|| path.display().to_string())?),
            Self::Collector(collector) => collector.connect(lost).with_context(|| self.to_string())?,
        };
        Ok(Box::new(Pipe { output, control: control.clone(), closed: false }))
    }
}

/// An output that goes quiet when its reader is gone.
struct Pipe {
    output: Box<dyn Write>,
    control: Control,
    closed: bool,
}

impl Pipe {
    fn unless_closed<T>(
        &mut self,
        nothing: T,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.closed {
            return Ok(nothing);
        }
        match write(&mut *self.output) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                self.control.pipe_closed();
                Ok(nothing)
            }
            result => result,
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_closed(bytes.len(), |output| output.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_closed((), |output| output.flush())
    }
}
