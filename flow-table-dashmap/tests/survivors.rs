//! Floods of which some flows live on, measured at the allocator. What the allocator returns to the system is not
//! tested.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

flow_table_conformance::survivor_test!(flow_table_dashmap::FlowTable, || Some(ALLOCATOR.allocated()));
