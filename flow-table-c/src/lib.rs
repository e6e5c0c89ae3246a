#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// In the order of the header.
mod error;

mod settings;

mod table;

mod lookup;

mod burst;

mod insert;

mod flow;

mod change;

mod reap;

mod stats;

mod class;
mod erased;
mod group;
mod guard;
mod key;
mod open;
mod raw;
mod value;

pub use burst::{ft_burst_close, ft_burst_get, ft_burst_get_batch, ft_burst_open, ft_burst_refresh_batch};
pub use change::{ft_remove, ft_remove_flow, ft_set_deadline, ft_set_timeout};
pub use error::{Error, ft_error_text};
pub use flow::{
    Direction, Status, ft_cancel, ft_deadline, ft_found_by, ft_key, ft_refresh, ft_release, ft_retain, ft_same,
    ft_status, ft_value,
};
pub use insert::{ft_get_or_insert, ft_insert, ft_insert_pair};
pub use lookup::{ft_hash, ft_lookup, ft_lookup_batch};
pub use open::Burst;
pub use raw::Flow;
pub use reap::{EndReason, Ended, Reaped, Visit, ft_for_each, ft_next_deadline, ft_reap};
pub use settings::Config;
pub use stats::{Stats, ft_stats};
pub use table::{Table, ft_capacity, ft_len, ft_set_capacity, ft_table_free, ft_table_new};
pub use value::Destructor;
