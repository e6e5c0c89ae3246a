//! Concurrent histories of this backend can be explained.

flow_table_conformance::histories_test!(flow_table_custom::FlowTable);
