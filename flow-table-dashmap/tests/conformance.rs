//! Tests this backend against the contract.

flow_table_conformance::conformance_tests!(flow_table_dashmap::FlowTable);
