use std::io;

/// Why a capture could not be read any further, and where.
#[derive(Debug, thiserror::Error)]
#[error("{}{problem} at byte {offset}", file.as_ref().map(|file| format!("{file}: ")).unwrap_or_default())]
pub struct ReadError {
    /// The name of the capture, if there are several.
    pub file: Option<String>,
    /// The offset of the record, block or header that could not be read.
    pub offset: u64,
    /// What is wrong with it.
    #[source]
    pub problem: Problem,
}

/// What is wrong with a capture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file does not start with the magic number of a capture.
    #[error("neither pcap nor pcapng")]
    NotACapture,
    /// The file is compressed in a way that this program cannot read.
    #[error("compressed with {0}, decompress it first")]
    Compressed(&'static str),
    /// The file ends within its own header.
    #[error("file header cut off")]
    HeaderCutOff,
    /// The file ends within a record or block, like a capture whose writer was stopped.
    #[error("{0} cut off")]
    CutOff(&'static str),
    /// The length of a packet is larger than any capture tool writes.
    #[error("captured length {length} above the limit of {limit}")]
    CapturedLength {
        /// The length in the file.
        length: u32,
        /// The limit.
        limit: u32,
    },
    /// A pcapng block cannot have this length.
    #[error("bad block length {0}")]
    BlockLength(u32),
    /// A pcapng block that must be read whole is longer than any capture tool writes.
    #[error("block length {length} above the limit of {limit}")]
    BlockTooLong {
        /// The length in the file.
        length: u32,
        /// The limit.
        limit: u32,
    },
    /// The lengths at both ends of a pcapng block differ.
    #[error("block lengths {first} and {last} differ")]
    BlockLengthsDiffer {
        /// The length before the block's body.
        first: u32,
        /// The length after it.
        last: u32,
    },
    /// A pcapng section starts with an unknown byte-order magic.
    #[error("bad byte-order magic {0:02x?}")]
    ByteOrder([u8; 4]),
    /// The contents of a pcapng block do not fit into it.
    #[error("malformed {0}")]
    Block(&'static str),
    /// A pcapng section describes more interfaces than any capture tool does.
    #[error("more than {limit} interfaces in a section")]
    Interfaces {
        /// The limit.
        limit: usize,
    },
    /// A packet names an interface that its section has not described.
    #[error("packet of unknown interface {0}")]
    Interface(u32),
    /// The system could not read.
    #[error("{0}")]
    Io(#[source] io::Error),
}

impl Problem {
    pub(crate) const fn at(self, offset: u64) -> ReadError {
        ReadError { file: None, offset, problem: self }
    }
}

impl ReadError {
    /// Returns `true` if the capture, or its compression, ends within a packet. Everything before is complete, and
    /// nothing is known to be wrong with it.
    pub fn is_cut_off(&self) -> bool {
        match &self.problem {
            Problem::CutOff(_) => true,
            Problem::Io(error) => error.kind() == io::ErrorKind::UnexpectedEof,
            _ => false,
        }
    }

    /// Returns `true` if nothing is wrong, but nothing has arrived for a while.
    pub fn is_idle(&self) -> bool {
        matches!(&self.problem, Problem::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The same error, of the capture with this name.
    pub(crate) fn of(self, file: &str) -> Self {
        Self { file: Some(file.to_owned()), ..self }
    }
}
