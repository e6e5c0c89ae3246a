use std::io::{self, Write};

use super::super::chunk::Chunk;
use super::message::Message;
use super::template;
use crate::record::{FlowRecord, Orientation};

/// Bytes of a message at most. The format allows 65,535.
const LONGEST: usize = 32 << 10;
/// Bytes of a message that fits into a frame of Ethernet. Templates and a record always fit.
const DATAGRAM: usize = 1_400;
/// A datagram may be lost, and collectors may start late. So every so many of them have the templates again.
const TEMPLATES_EVERY: u32 = 16;

/// Writes flow records as messages, each with one call of `write`.
pub struct Writer<W: Write> {
    output: W,
    orientation: Orientation,
    datagrams: bool,
    limit: usize,
    templates: Vec<u8>,
    message: Message,
    record: Vec<u8>,
    messages: u32,
    sequence: u32,
    /// The largest time of a record, in seconds: when the message is exported.
    seconds: u32,
}

impl<W: Write> Writer<W> {
    /// Writes to a file or a stream, or in datagrams.
    pub fn new(output: W, orientation: Orientation, chunk: Chunk) -> Self {
        let (datagrams, limit) = match chunk {
            Chunk::Datagram => (true, DATAGRAM),
            Chunk::Bytes(bytes) => (false, bytes.clamp(DATAGRAM, LONGEST)),
        };
        Self {
            output,
            orientation,
            datagrams,
            limit,
            templates: template::set(),
            message: Message::default(),
            record: Vec::new(),
            messages: 0,
            sequence: 0,
            seconds: 0,
        }
    }

    /// Writes one record.
    ///
    /// # Errors
    ///
    /// Returns the errors of the output.
    pub fn write(&mut self, flow: &FlowRecord) -> io::Result<()> {
        self.record.clear();
        let template = template::encode(flow, self.orientation, &mut self.record);
        if !self.message.is_empty() && self.message.len_with(self.record.len()) > self.limit {
            self.send()?;
        }
        if self.message.is_empty() {
            let with_templates =
                self.messages == 0 || self.datagrams && self.messages.is_multiple_of(TEMPLATES_EVERY);
            self.message.begin(if with_templates { &self.templates } else { &[] });
        }
        self.message.add(template, &self.record);
        let seconds = u32::try_from(flow.tally.last_ns.div_euclid(1_000_000_000).max(0)).unwrap_or(u32::MAX);
        self.seconds = self.seconds.max(seconds);
        Ok(())
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    ///
    /// Returns the errors of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        // Readers of files need the templates even if there is nothing else.
        if self.message.is_empty() && self.messages == 0 {
            self.message.begin(&self.templates);
        }
        if !self.message.is_empty() {
            self.send()?;
        }
        self.output.flush()
    }

    fn send(&mut self) -> io::Result<()> {
        let records = self.message.records;
        let result = self.output.write_all(self.message.end(self.seconds, self.sequence));
        // The sequence counts data records, and wraps around.
        self.sequence = self.sequence.wrapping_add(records);
        self.messages += 1;
        self.message.clear();
        result
    }
}
