use flow_table_api::{OnExpiry, Timeout};

use super::fields::Fields;
use super::op::{MAX_VALUE, Op, REMOVE};
use crate::{Epoch, Life, ShardId};

/// A record, as it stands in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'b> {
    /// What it says.
    pub op: Op,
    /// The shard of the flow's key.
    pub shard: ShardId,
    /// The epoch in which the writer owns the shard.
    pub epoch: Epoch,
    /// The life of the flow.
    pub life: Life,
    /// The number of the record in the life of the flow, modulo 2³².
    pub sequence: u32,
    /// The forward key.
    pub key: &'b [u8],
    /// The flow, if the operation [has one](Op::has_body).
    pub body: Option<Body<'b>>,
}

/// A flow in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body<'b> {
    /// Its idle timeout.
    pub timeout: Timeout,
    /// What look-ups do with it once it has expired.
    pub on_expiry: OnExpiry,
    /// The time from the writing of the record to the flow's deadline, in nanoseconds.
    pub remaining: u64,
    /// The reply key.
    pub reply: Option<&'b [u8]>,
    /// The value.
    pub value: &'b [u8],
}

/// Why a record in a batch cannot be read.
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// Its fields do not fit its length.
    #[error("a record whose fields do not fit its length")]
    Malformed,
    /// An operation that this crate does not know.
    #[error("a record with the operation {0}, which this program does not know")]
    Unknown(u8),
}

/// The records of a batch. After one that cannot be read it goes on with the next one.
#[derive(Clone, Copy, Debug)]
pub struct Records<'b>(&'b [u8]);

impl<'b> Records<'b> {
    pub(super) const fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }
}

impl<'b> Iterator for Records<'b> {
    type Item = Result<Record<'b>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let mut fields = Fields(self.0);
        let record = fields.u16().and_then(|len| fields.bytes(len.into()));
        // Where the next record begins is known only if this one's length is right.
        self.0 = record.map_or(&[], |_| fields.0);
        Some(record.map_or(Err(RecordError::Malformed), parse))
    }
}

fn parse(bytes: &[u8]) -> Result<Record<'_>, RecordError> {
    let (&code, rest) = bytes.split_first().ok_or(RecordError::Malformed)?;
    let op = Op::from_code(code).ok_or(RecordError::Unknown(code))?;
    fields(op, Fields(rest)).ok_or(RecordError::Malformed)
}

fn fields(op: Op, mut fields: Fields<'_>) -> Option<Record<'_>> {
    let record = Record {
        op,
        shard: ShardId::new(fields.u8()?),
        epoch: Epoch::new(fields.u32()?),
        life: Life::from_bits(fields.u64()?),
        sequence: fields.u32()?,
        key: fields.counted()?,
        body: None,
    };
    if !op.has_body() {
        return fields.0.is_empty().then_some(record);
    }
    let (options, remaining) = (fields.u32()?, fields.u64()?);
    let reply = Some(fields.counted()?).filter(|reply| !reply.is_empty());
    let on_expiry = if options & REMOVE != 0 { OnExpiry::Remove } else { OnExpiry::KeepWhileReferenced };
    let body = Body { timeout: Timeout::from_bits(options), on_expiry, remaining, reply, value: fields.0 };
    (body.value.len() <= MAX_VALUE).then_some(Record { body: Some(body), ..record })
}
