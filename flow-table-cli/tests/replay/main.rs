//! Whole captures through every backend that was built in.

mod captures;
mod common;
mod model;
mod no_panic;
mod testdata;
