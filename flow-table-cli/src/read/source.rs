use std::io::{self, ErrorKind, Read};

/// A reader with a buffer for look-ahead, and the offset of the next byte.
///
/// Memory is limited by the largest look-ahead asked for, and does not depend on lengths in the file.
pub(super) struct Source<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
}

const BUFFER: usize = 512 * 1024;

impl<R: Read> Source<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: vec![0; BUFFER], start: 0, end: 0, offset: 0 }
    }

    /// The number of bytes consumed.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the next `wanted` bytes without consuming them. There are fewer only at the end of the input.
    pub(super) fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        if self.end - self.start < wanted {
            self.refill(wanted)?;
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + wanted)])
    }

    /// As [`peek`](Self::peek), but waits for input that is idle.
    pub(super) fn wait_for(&mut self, wanted: usize) -> io::Result<&[u8]> {
        loop {
            match self.peek(wanted) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        self.peek(wanted)
    }

    /// Consumes the next `wanted` bytes. Returns `None`, and consumes nothing, if the input ends before.
    pub(super) fn take(&mut self, wanted: usize) -> io::Result<Option<&[u8]>> {
        if self.peek(wanted)?.len() < wanted {
            return Ok(None);
        }
        let taken = self.start..self.start + wanted;
        self.consume(wanted);
        Ok(Some(&self.buffer[taken]))
    }

    /// Consumes `count` bytes without keeping them. Consumes fewer only at the end of the input.
    pub(super) fn skip(&mut self, mut count: u64) -> io::Result<()> {
        while count > 0 {
            let step = usize::try_from(count).unwrap_or(BUFFER).min(BUFFER);
            let step = self.wait_for(step)?.len();
            if step == 0 {
                break;
            }
            self.consume(step);
            count -= step as u64;
        }
        Ok(())
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.offset += count as u64;
    }

    #[cold]
    fn refill(&mut self, wanted: usize) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.end < wanted {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns one byte at a time, with an interruption before each.
    struct Trickle(Vec<u8>, bool);

    impl Read for Trickle {
        fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(ErrorKind::Interrupted.into());
            }
            match self.0.pop() {
                Some(byte) => {
                    space[0] = byte;
                    Ok(1)
                }
                None => Ok(0),
            }
        }
    }

    #[test]
    fn bytes_come_in_order_however_they_arrive() {
        let mut source = Source::new(Trickle((0..=99).rev().collect(), false));
        assert_eq!(source.peek(3).unwrap(), [0, 1, 2]);
        assert_eq!(source.take(2).unwrap(), Some(&[0, 1][..]));
        source.skip(90).unwrap();
        assert_eq!(source.offset(), 92);
        assert_eq!(source.take(9).unwrap(), None, "only eight are left");
        assert_eq!(source.take(8).unwrap(), Some(&[92, 93, 94, 95, 96, 97, 98, 99][..]));
        assert!(source.peek(1).unwrap().is_empty());
        source.skip(1).unwrap();
        assert_eq!(source.offset(), 100);
    }

    #[test]
    fn the_buffer_grows_with_what_is_asked_for() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(3 * BUFFER).collect();
        let mut source = Source::new(bytes.as_slice());
        source.skip(5).unwrap();
        assert_eq!(source.take(2 * BUFFER).unwrap(), Some(&bytes[5..2 * BUFFER + 5]));
        source.skip(u64::MAX).unwrap();
        assert_eq!(source.offset(), bytes.len() as u64);
    }
}
