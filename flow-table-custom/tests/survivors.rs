//! Floods of which some flows live on, wherever they are, and what the process keeps.

flow_table_conformance::survivor_test!(flow_table_custom::FlowTable);
