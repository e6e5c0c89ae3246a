use super::version::Version;

/// Number and length of a set.
const SET_HEADER: usize = 4;
/// Sets of NetFlow end at multiples of this length.
const ALIGNMENT: usize = 4;
/// There is one table, so there is one observation domain.
const DOMAIN: u32 = 1;

/// A message being built.
pub(super) struct Message {
    version: Version,
    bytes: Vec<u8>,
    /// The number of the open data set, and where it begins.
    set: Option<(u16, usize)>,
    /// Data records in it.
    pub(super) records: u32,
    /// Template records in it.
    templates: u32,
}

/// What the header tells.
#[derive(Clone, Copy)]
pub(super) struct Export {
    /// When it is exported, in seconds since 1970.
    pub(super) seconds: u32,
    /// Milliseconds that the exporter is up. IPFIX does not tell them.
    pub(super) uptime: u32,
    /// The number of data records before it; in NetFlow, of messages.
    pub(super) sequence: u32,
}

impl Message {
    pub(super) const fn new(version: Version) -> Self {
        Self { version, bytes: Vec::new(), set: None, records: 0, templates: 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Begins a message, with a set of this many templates before the data.
    pub(super) fn begin(&mut self, set: &[u8], templates: u32) {
        self.bytes.clear();
        self.bytes.resize(self.version.header(), 0);
        self.bytes.extend_from_slice(set);
        self.set = None;
        self.records = 0;
        self.templates = templates;
    }

    /// The length of the message with one more record of this length, at most.
    pub(super) const fn len_with(&self, record: usize) -> usize {
        self.bytes.len() + SET_HEADER + record + 2 * (ALIGNMENT - 1)
    }

    /// Adds a record of the data set with this number.
    pub(super) fn add(&mut self, set: u16, record: &[u8]) {
        if self.set.is_none_or(|(open, _)| open != set) {
            self.end_set();
            self.set = Some((set, self.bytes.len()));
            self.bytes.extend_from_slice(&set.to_be_bytes());
            self.bytes.extend_from_slice(&[0; 2]);
        }
        self.bytes.extend_from_slice(record);
        self.records += 1;
    }

    fn end_set(&mut self) {
        if let Some((_, start)) = self.set.take() {
            if self.version == Version::V9 {
                self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
            }
            let length = (self.bytes.len() - start) as u16;
            self.bytes[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
        }
    }

    /// Completes the message.
    pub(super) fn end(&mut self, export: Export) -> &[u8] {
        self.end_set();
        // NetFlow has the number of records where IPFIX has the length.
        let (size, uptime) = match self.version {
            Version::V9 => (self.records + self.templates, Some(export.uptime)),
            Version::Ipfix => (self.bytes.len() as u32, None),
        };
        let words = [export.seconds, export.sequence, DOMAIN];
        let header: Vec<u8> = [self.version.number(), size as u16]
            .into_iter()
            .flat_map(u16::to_be_bytes)
            .chain(uptime.into_iter().chain(words).flat_map(u32::to_be_bytes))
            .collect();
        self.bytes[..header.len()].copy_from_slice(&header);
        &self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }
}
