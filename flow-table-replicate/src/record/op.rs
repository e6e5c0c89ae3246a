use flow_table_api::Timeout;

/// The longest form of a key, in bytes.
pub const MAX_KEY: usize = 255;

/// The longest form of a value, in bytes.
pub const MAX_VALUE: usize = 4096;

/// The bit of the timeout field that says [`OnExpiry::Remove`](flow_table_api::OnExpiry).
pub(super) const REMOVE: u32 = 1 << Timeout::BITS;

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

    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Begin => 1,
            Self::Update => 2,
            Self::Checkpoint => 3,
            Self::Named => 4,
            Self::End => 5,
        }
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.code() == code)
    }

    /// Returns `true` if the record holds the flow and not only its key.
    pub const fn has_body(self) -> bool {
        matches!(self, Self::Begin | Self::Update | Self::Checkpoint)
    }
}
