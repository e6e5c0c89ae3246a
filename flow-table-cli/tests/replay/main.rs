//! Replays whole captures through every backend that was built in.

mod captures;
mod common;
mod endless;
mod idle;
mod keys;
mod model;
mod no_panic;
mod testdata;
