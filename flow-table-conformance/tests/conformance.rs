//! A third party's backend passes the suite.

#[allow(dead_code, reason = "nothing is broken here")]
mod stranger;

flow_table_conformance::conformance_tests!(crate::stranger::Stranger);
