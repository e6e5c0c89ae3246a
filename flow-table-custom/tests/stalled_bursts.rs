//! Bursts that stall, and what the process keeps of the flows that come and end meanwhile.

flow_table_conformance::stall_test!(flow_table_custom::FlowTable);
