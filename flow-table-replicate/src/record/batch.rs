use super::fields::Fields;
use super::read::Records;
use crate::{Epoch, Life, ShardId};

/// The size of a batch's header, in bytes.
pub const HEADER: usize = 40;

/// The most bytes of a batch, header included.
pub const MAX_BATCH: usize = 1 << 19;

/// The version of the format that this crate writes.
pub const VERSION: u8 = 1;

const MAGIC: [u8; 4] = *b"FTRL";
const CHECKSUM: usize = 36;
const MARK: usize = 13;

/// What a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Records of what happens.
    Live,
    /// Records of a sweep.
    Sweep,
    /// The marker before a sweep.
    SweepBegin,
    /// The marker after a sweep: its [marks](Batch::marks) hold the lives that it covers.
    SweepEnd,
    /// The origin has taken the shards in the [marks](Batch::marks).
    Claim,
    /// The origin has had nothing to say for a while.
    Heartbeat,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Live, Self::Sweep, Self::SweepBegin, Self::SweepEnd, Self::Claim, Self::Heartbeat];

    const fn code(self) -> u8 {
        self as u8
    }
}

/// The header of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the batch is.
    pub kind: Kind,
    /// The number of records.
    pub records: u16,
    /// Who wrote it: a number drawn at the start of a process.
    pub origin: u64,
    /// Counts the batches of the origin.
    pub number: u64,
    /// The number of the sweep; zero outside sweeps.
    pub sweep: u64,
    /// The place within the sweep; in its end marker, how many batches it had.
    pub index: u32,
}

/// What a marker says about one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The shard.
    pub shard: ShardId,
    /// The epoch in which the origin owns it.
    pub epoch: Epoch,
    /// The last life that had begun when the sweep began.
    pub last: Life,
}

/// Why bytes are no batch.
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchError {
    /// They are shorter than a header, or longer than [`MAX_BATCH`].
    #[error("a batch of {0} bytes: it must have {HEADER} to {MAX_BATCH}")]
    Length(usize),
    /// They do not begin as a batch does.
    #[error("this is no batch")]
    Magic,
    /// A version or a kind that this crate does not know.
    #[error("a batch of version {version}, kind {kind}, which this program does not know")]
    Unknown {
        /// The version.
        version: u8,
        /// The kind.
        kind: u8,
    },
    /// Some byte has changed on the way.
    #[error("the checksum is {found:08x} and not {expected:08x}")]
    Checksum {
        /// What the bytes give.
        found: u32,
        /// What the batch says.
        expected: u32,
    },
}

/// A batch whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'b> {
    /// Its header.
    pub header: Header,
    body: &'b [u8],
}

impl<'b> Batch<'b> {
    /// Reads a batch. The bytes may be anything.
    ///
    /// # Errors
    ///
    /// [`BatchError`]
    pub fn parse(bytes: &'b [u8]) -> Result<Self, BatchError> {
        let (head, body) = bytes.split_first_chunk::<HEADER>().ok_or(BatchError::Length(bytes.len()))?;
        if bytes.len() > MAX_BATCH {
            return Err(BatchError::Length(bytes.len()));
        }
        Self::from_parts(head, body).ok_or(BatchError::Magic)?
    }

    /// Whether this is a batch with records by this origin, as far as can be told without its checksum.
    pub(crate) fn has_records_of(bytes: &[u8], origin: u64) -> bool {
        let kinds = [Kind::Live.code(), Kind::Sweep.code()];
        bytes.get(5).is_some_and(|kind| kinds.contains(kind)) && bytes.get(8..16) == Some(&origin.to_le_bytes())
    }

    /// `None` if it is no batch at all.
    fn from_parts(head: &[u8; HEADER], body: &'b [u8]) -> Option<Result<Self, BatchError>> {
        let mut fields = Fields(head);
        if fields.array()? != MAGIC {
            return None;
        }
        let [version, code] = fields.array()?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.code() == code).filter(|_| version == VERSION);
        let Some(kind) = kind else {
            return Some(Err(BatchError::Unknown { version, kind: code }));
        };
        let header = Header {
            kind,
            records: fields.u16()?,
            origin: fields.u64()?,
            number: fields.u64()?,
            sweep: fields.u64()?,
            index: fields.u32()?,
        };
        let (found, expected) = (checksum(&head[..CHECKSUM], body), fields.u32()?);
        Some(if found == expected {
            Ok(Self { header, body })
        } else {
            Err(BatchError::Checksum { found, expected })
        })
    }

    /// Its records. It is empty for markers.
    pub fn records(&self) -> Records<'b> {
        match self.header.kind {
            Kind::Live | Kind::Sweep => Records::new(self.body),
            _ => Records::new(&[]),
        }
    }

    /// What a [`SweepBegin`](Kind::SweepBegin), [`SweepEnd`](Kind::SweepEnd) or [`Claim`](Kind::Claim) says about
    /// shards. It is empty for other kinds.
    pub fn marks(&self) -> impl Iterator<Item = Mark> + use<'b> {
        let body = match self.header.kind {
            Kind::SweepBegin | Kind::SweepEnd | Kind::Claim => self.body,
            _ => &[],
        };
        body.chunks_exact(MARK).take(ShardId::COUNT).filter_map(|bytes| {
            let mut fields = Fields(bytes);
            let shard = ShardId::new(fields.u8()?);
            Some(Mark { shard, epoch: Epoch::new(fields.u32()?), last: Life::from_bits(fields.u64()?) })
        })
    }
}

fn checksum(head: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(body);
    hasher.finalize()
}

/// Appends what a marker says about one shard.
pub fn put_mark(bytes: &mut Vec<u8>, mark: Mark) {
    bytes.push(mark.shard.get());
    bytes.extend_from_slice(&mark.epoch.get().to_le_bytes());
    bytes.extend_from_slice(&mark.last.to_bits().to_le_bytes());
}

/// Writes the header into the first [`HEADER`] bytes, which were left for it.
pub fn seal(bytes: &mut [u8], header: Header) {
    let Some((head, body)) = bytes.split_first_chunk_mut::<HEADER>() else {
        return;
    };
    let mut at = 0;
    let mut put = |part: &[u8]| {
        head[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    };
    put(&MAGIC);
    put(&[VERSION, header.kind.code()]);
    put(&header.records.to_le_bytes());
    put(&header.origin.to_le_bytes());
    put(&header.number.to_le_bytes());
    put(&header.sweep.to_le_bytes());
    put(&header.index.to_le_bytes());
    let sum = checksum(&head[..CHECKSUM], body);
    head[CHECKSUM..].copy_from_slice(&sum.to_le_bytes());
}
