//! The model explains concurrent histories of this backend.

flow_table_conformance::histories_test!(flow_table_dashmap::FlowTable);
