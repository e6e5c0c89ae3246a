//! The format of what is published: batches of records, and markers.
//!
//! Everything is little-endian. A batch has a header of 40 bytes and at most [`MAX_BATCH`] bytes in all.
//!
//! ```text
//! 0     4         5      6         8        16       24      32      36         40
//! +-----+---------+------+---------+--------+--------+-------+-------+----------+------------
//! | FTRL| version | kind | records | origin | number | sweep | index | checksum | records …
//! +-----+---------+------+---------+--------+--------+-------+-------+----------+------------
//! ```
//!
//! The checksum is the CRC-32 of everything else. `number` counts the batches of an origin, so that gaps are seen.
//! In a sweep, `index` counts the sweep's batches, and the end marker holds how many there were.
//!
//! A record is as follows; its length counts what comes after it. An end, and a flow that a sweep only names, stop
//! after the key. A standby skips operations that it does not know.
//!
//! ```text
//! 0        2    3       4       8      16         20        21
//! +--------+----+-------+-------+------+----------+---------+-----+---------+-----------+-------------+-------+------
//! | length | op | shard | epoch | life | sequence | key len | key | timeout | remaining | reply len   | reply | value
//! +--------+----+-------+-------+------+----------+---------+-----+---------+-----------+-------------+-------+------
//!                                                                     4           8       1, 0 if none
//! ```
//!
//! The remaining time is relative, so that clocks of two machines are never compared. Bit 28 of the timeout says
//! [`OnExpiry::Remove`](flow_table_api::OnExpiry).

mod batch;
mod fields;
mod read;
mod write;

pub use batch::{Batch, BatchError, HEADER, Header, Kind, MAX_BATCH, Mark, VERSION};
pub(crate) use batch::{put_mark, seal};
pub use read::{Body, Record, RecordError, Records};
pub(crate) use write::{Head, TooLong, write_body, write_key};

/// The longest form of a key, in bytes.
pub const MAX_KEY: usize = 255;

/// The longest form of a value, in bytes.
pub const MAX_VALUE: usize = 4096;

/// What a record says about a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// It began.
    Begin,
    /// Its value or its timeout has changed.
    Update,
    /// It is as follows: a sweep repeats it.
    Checkpoint,
    /// It is still there, as it was: a sweep names it.
    Named,
    /// It has ended.
    End,
}

impl Op {
    const ALL: [Self; 5] = [Self::Begin, Self::Update, Self::Checkpoint, Self::Named, Self::End];

    const fn code(self) -> u8 {
        match self {
            Self::Begin => 1,
            Self::Update => 2,
            Self::Checkpoint => 3,
            Self::Named => 4,
            Self::End => 5,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.code() == code)
    }

    /// Returns `true` if the record holds the flow and not only its key.
    pub const fn has_body(self) -> bool {
        matches!(self, Self::Begin | Self::Update | Self::Checkpoint)
    }
}
