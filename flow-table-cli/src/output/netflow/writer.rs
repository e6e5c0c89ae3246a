use std::io::{self, Write};

use super::super::chunk::Chunk;
use super::message::{Export, Message};
use super::template;
use super::version::Version;
use crate::record::{FlowRecord, Orientation};

/// Bytes of a message at most. The formats allow 65,535.
const LONGEST: usize = 32 << 10;
/// Bytes of a message that fits into a frame of Ethernet. Templates and a record always fit.
const DATAGRAM: usize = 1_400;
/// A datagram may be lost, and collectors may start late. So every so many of them have the templates again.
const TEMPLATES_EVERY: u32 = 16;

/// Writes flow records as messages, each with one call of `write`.
pub struct Writer<W: Write> {
    output: W,
    version: Version,
    orientation: Orientation,
    datagrams: bool,
    limit: usize,
    templates: Vec<u8>,
    message: Message,
    record: Vec<u8>,
    messages: u32,
    /// Data records before the message.
    records: u32,
    /// The largest time of a record, in milliseconds: when the message is exported.
    millis: u64,
    /// The first such time: since when the exporter is up.
    started: Option<u64>,
}

impl<W: Write> Writer<W> {
    /// Writes to a file or a stream, or in datagrams.
    pub fn new(output: W, version: Version, orientation: Orientation, chunk: Chunk) -> Self {
        let (datagrams, limit) = match chunk {
            Chunk::Datagram => (true, DATAGRAM),
            Chunk::Bytes(bytes) => (false, bytes.clamp(DATAGRAM, LONGEST)),
        };
        Self {
            output,
            version,
            orientation,
            datagrams,
            limit,
            templates: template::set(version),
            message: Message::new(version),
            record: Vec::new(),
            messages: 0,
            records: 0,
            millis: 0,
            started: None,
        }
    }

    /// Writes one flow.
    ///
    /// # Errors
    ///
    /// Returns the errors of the output.
    pub fn write(&mut self, flow: &FlowRecord) -> io::Result<()> {
        let oriented = flow.oriented(self.orientation);
        match self.version {
            Version::Ipfix => self.add(flow, |record| template::both(&oriented, flow.end, record))?,
            Version::V9 => {
                for (from, tally) in
                    [(oriented.key, oriented.forward), (oriented.key.reversed(), oriented.reverse)]
                {
                    if tally.packets > 0 {
                        self.add(flow, |record| template::one(&from, tally, flow.end, record))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds a record that `encode` appends, and whose template it returns.
    fn add(&mut self, flow: &FlowRecord, encode: impl FnOnce(&mut Vec<u8>) -> u16) -> io::Result<()> {
        self.record.clear();
        let template = encode(&mut self.record);
        if !self.message.is_empty() && self.message.len_with(self.record.len()) > self.limit {
            self.send()?;
        }
        if self.message.is_empty() {
            let with_templates =
                self.messages == 0 || self.datagrams && self.messages.is_multiple_of(TEMPLATES_EVERY);
            self.begin(with_templates);
        }
        self.message.add(template, &self.record);
        self.millis = self.millis.max(template::milliseconds(flow.tally.last_ns));
        self.started.get_or_insert(self.millis);
        Ok(())
    }

    fn begin(&mut self, with_templates: bool) {
        if with_templates {
            self.message.begin(&self.templates, template::COUNT);
        } else {
            self.message.begin(&[], 0);
        }
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    ///
    /// Returns the errors of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        // Readers of files need the templates even if there is nothing else.
        if self.message.is_empty() && self.messages == 0 {
            self.begin(true);
        }
        if !self.message.is_empty() {
            self.send()?;
        }
        self.output.flush()
    }

    fn send(&mut self) -> io::Result<()> {
        let records = self.message.records;
        let export = Export {
            seconds: u32::try_from(self.millis / 1_000).unwrap_or(u32::MAX),
            // It wraps around after 49 days, as that of any exporter.
            uptime: (self.millis - self.started.unwrap_or(self.millis)) as u32,
            sequence: match self.version {
                Version::V9 => self.messages,
                Version::Ipfix => self.records,
            },
        };
        let result = self.output.write_all(self.message.end(export));
        // Both numbers wrap around.
        self.records = self.records.wrapping_add(records);
        self.messages = self.messages.wrapping_add(1);
        self.message.clear();
        result
    }
}
