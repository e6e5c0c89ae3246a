//! Input that may wait, such as a pipe, read by a thread of its own.
//!
//! A system call that waits for a pipe is not interrupted by a signal that the program handles. So the thread
//! waits, and whoever wants the bytes asks from time to time whether the program is to end.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use crate::control::Control;

/// Bytes of a chunk: what a Linux pipe holds.
const CHUNK: usize = 64 << 10;
/// Chunks that are read ahead at most.
const AHEAD: usize = 16;
/// How long a read waits before it reports that nothing arrived.
const PATIENCE: Duration = Duration::from_millis(100);

/// The reading end. A read returns [`WouldBlock`](ErrorKind::WouldBlock) when nothing has arrived for a tenth of a
/// second, and the end of the input when the program is to end.
pub(super) struct Pump {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    used: usize,
    control: Control,
}

impl Pump {
    /// Starts the thread. It ends with the input, or when it next has bytes after the pump is dropped.
    pub(super) fn start(input: impl Read + Send + 'static, control: &Control) -> io::Result<Self> {
        let (sender, chunks) = mpsc::sync_channel(AHEAD);
        thread::Builder::new().name("input".to_owned()).spawn(move || read_all(input, &sender))?;
        Ok(Self { chunks, chunk: Vec::new(), used: 0, control: control.clone() })
    }
}

fn read_all(mut input: impl Read, chunks: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut chunk = vec![0; CHUNK];
        let result = match input.read(&mut chunk) {
            Ok(0) => return,
            Ok(count) => {
                chunk.truncate(count);
                Ok(chunk)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = result.is_err();
        if chunks.send(result).is_err() || failed {
            return;
        }
    }
}

impl Read for Pump {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if self.used == self.chunk.len() {
            if self.control.is_stopped() {
                return Ok(0);
            }
            self.chunk = match self.chunks.recv_timeout(PATIENCE) {
                Ok(chunk) => chunk?,
                Err(RecvTimeoutError::Timeout) => return Err(ErrorKind::WouldBlock.into()),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            };
            self.used = 0;
        }
        let count = space.len().min(self.chunk.len() - self.used);
        space[..count].copy_from_slice(&self.chunk[self.used..self.used + count]);
        self.used += count;
        Ok(count)
    }
}
