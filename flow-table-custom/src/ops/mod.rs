//! The operations of the table: one file for each verb.

mod ask;
mod close;
mod compact;
mod deferred;
mod holders;
mod insert;
mod install;
mod iterate;
mod lookup;
mod prepare;
mod reap;
mod reap_batch;
mod reinsert;
mod remove;
mod room;
mod stats;
mod verify;

pub(crate) use holders::Mode;
pub(crate) use insert::Refusal;
pub(crate) use lookup::Counted;
