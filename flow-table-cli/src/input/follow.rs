use std::io::{self, ErrorKind, Read};
use std::thread;
use std::time::Duration;

use crate::control::Control;

/// How often a file is asked for more.
const PATIENCE: Duration = Duration::from_millis(100);

/// A file that another program still writes. It ends when the program is to end.
pub(super) struct Follow<R> {
    file: R,
    control: Control,
}

impl<R> Follow<R> {
    pub(super) fn new(file: R, control: &Control) -> Self {
        Self { file, control: control.clone() }
    }
}

impl<R: Read> Read for Follow<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match self.file.read(space)? {
            0 if !self.control.is_stopped() => {
                thread::sleep(PATIENCE);
                Err(ErrorKind::WouldBlock.into())
            }
            count => Ok(count),
        }
    }
}
