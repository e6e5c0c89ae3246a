//! The model explains concurrent histories of a third party's backend.

#[allow(dead_code, reason = "nothing is broken here")]
mod stranger;

flow_table_conformance::histories_test!(crate::stranger::Stranger);
