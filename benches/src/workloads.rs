//! The workloads, one type each.

mod churn;
mod hit_refresh;
mod miss;

pub use churn::Churn;
pub use hit_refresh::HitRefresh;
pub use miss::Miss;

use flow_table::{NewFlow, Table, Timeout, Timestamp};

use crate::data::{Key, Payload, key};

/// A full table: the flows number `0..flows`, inserted at time zero.
fn full_table<T: Table<Key, Payload>>(flows: usize, timeout: Timeout) -> T {
    let table = T::new(flows);
    for index in 0..flows as u64 {
        table
            .insert(NewFlow::new(key(index), [index; 8]).timeout(timeout), Timestamp::ZERO)
            .expect("the table has room");
    }
    table
}
