//! The table's operations on its [`Core`](crate::core::Core), one in each file.

pub(crate) mod ask;
pub(crate) mod incoming;
pub(crate) mod insert;
pub(crate) mod iterate;
pub(crate) mod kept;
pub(crate) mod keys;
pub(crate) mod lookup;
pub(crate) mod reap;
pub(crate) mod reinsert;
pub(crate) mod remove;
pub(crate) mod room;
pub(crate) mod stats;
