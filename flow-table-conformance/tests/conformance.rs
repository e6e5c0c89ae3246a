//! A third party's backend passes the suite.

mod stranger;

flow_table_conformance::conformance_tests!(crate::stranger::Stranger);
