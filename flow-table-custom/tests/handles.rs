//! A million handles that outlive their table, and what the process keeps of them.

flow_table_conformance::handles_test!(flow_table_custom::FlowTable);
