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
//! +--------+----+-------+-------+------+----------+---------+-----+
//! | length | op | shard | epoch | life | sequence | key len | key |
//! +--------+----+-------+-------+------+----------+---------+-----+
//! +---------+-----------+-----------+-------+-------+
//! | timeout | remaining | reply len | reply | value |
//! +---------+-----------+-----------+-------+-------+
//!      4          8       1; 0: none
//! ```
//!
//! The remaining time is relative, so that clocks of two machines are never compared. Bit 28 of the timeout says
//! [`OnExpiry::Remove`](flow_table_api::OnExpiry).

mod batch;
mod fields;
mod op;
mod read;
mod write;

pub use batch::{Batch, BatchError, HEADER, Header, Kind, MAX_BATCH, Mark, VERSION};
pub(crate) use batch::{put_mark, seal};
pub use op::{MAX_KEY, MAX_VALUE, Op};
pub use read::{Body, Record, RecordError, Records};
pub(crate) use write::{Head, TooLong, write_body, write_key};
