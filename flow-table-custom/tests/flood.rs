//! A million one-packet flows, and what the process keeps of them.

flow_table_conformance::flood_test!(flow_table_custom::FlowTable);
