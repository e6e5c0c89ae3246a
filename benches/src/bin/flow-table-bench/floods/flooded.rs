use super::measure::{Moment, Row};
use crate::backend::Backend;

/// The results of one backend's table.
pub(super) struct Flooded {
    pub(super) backend: Backend,
    pub(super) rows: Vec<Row>,
}

impl Flooded {
    /// Returns `true` if the table's memory fell after each flood, to at most twice what it was before the floods
    /// and 1 MiB. The resident size of the process must do the same if the backend maps its memory itself, and so
    /// promises this.
    pub(super) fn gave_back(&self) -> bool {
        let Some((before, after)) = self.rows.split_first() else { return false };
        let back = |bytes: u64, before: u64| bytes <= 2 * before + (1 << 20);
        after.iter().filter(|row| row.moment == Moment::Reaped).all(|row| {
            let resident = row.resident_bytes.zip(before.resident_bytes);
            back(row.table_bytes, before.table_bytes)
                && (self.backend != Backend::Custom || resident.is_none_or(|(row, before)| back(row, before)))
        })
    }
}
