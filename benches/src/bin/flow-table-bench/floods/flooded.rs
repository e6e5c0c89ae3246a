use super::measure::{Moment, Row};
use crate::backend::Backend;

/// The results of one backend's table.
pub(super) struct Flooded {
    pub(super) backend: Backend,
    /// Bursts that were open all the time.
    pub(super) stalled_bursts: u64,
    pub(super) rows: Vec<Row>,
}

impl Flooded {
    /// Returns `true` if the table's memory fell after each flood, to at most twice what it was before the floods
    /// and 1 MiB. Each stalled burst may keep as much as the full table had at first, and 1 MiB (contract U4). The
    /// resident size of the process must do the same if the backend maps its memory itself, and so promises this.
    pub(super) fn gave_back(&self) -> bool {
        let Some((before, after)) = self.rows.split_first() else { return false };
        let full = after.first().map_or(0, |row| row.table_bytes);
        let reserve = (1 << 20) + self.stalled_bursts * (full + (1 << 20));
        let back = |bytes: u64, before: u64| bytes <= 2 * before + reserve;
        after.iter().filter(|row| row.moment == Moment::Reaped).all(|row| {
            let resident = row.resident_bytes.zip(before.resident_bytes);
            back(row.table_bytes, before.table_bytes)
                && (self.backend != Backend::Custom || resident.is_none_or(|(row, before)| back(row, before)))
        })
    }
}
