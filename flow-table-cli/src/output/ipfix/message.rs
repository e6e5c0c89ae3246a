/// Version, length, export time, sequence number and observation domain.
const HEADER: usize = 16;
/// Number and length of a set.
const SET_HEADER: usize = 4;
const VERSION: u16 = 10;
/// There is one table, so there is one observation domain.
const DOMAIN: u32 = 1;

/// A message being built.
#[derive(Default)]
pub(super) struct Message {
    bytes: Vec<u8>,
    /// The number of the open data set, and where it begins.
    set: Option<(u16, usize)>,
    /// Data records in it.
    pub(super) records: u32,
}

impl Message {
    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Begins a message, with these sets before the data.
    pub(super) fn begin(&mut self, templates: &[u8]) {
        self.bytes.clear();
        self.bytes.resize(HEADER, 0);
        self.bytes.extend_from_slice(templates);
        self.set = None;
        self.records = 0;
    }

    /// The length of the message with one more record of this length.
    pub(super) const fn len_with(&self, record: usize) -> usize {
        self.bytes.len() + SET_HEADER + record
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
            let length = (self.bytes.len() - start) as u16;
            self.bytes[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
        }
    }

    /// Completes the message. `sequence` is the number of data records before it.
    pub(super) fn end(&mut self, export_seconds: u32, sequence: u32) -> &[u8] {
        self.end_set();
        let length = self.bytes.len() as u16;
        let header = [
            &VERSION.to_be_bytes()[..],
            &length.to_be_bytes(),
            &export_seconds.to_be_bytes(),
            &sequence.to_be_bytes(),
            &DOMAIN.to_be_bytes(),
        ];
        self.bytes[..HEADER].copy_from_slice(&header.concat());
        &self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }
}
