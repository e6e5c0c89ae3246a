//! Bursts that stall, and the memory of the flows that come and end meanwhile, measured at the allocator.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

flow_table_conformance::stall_test!(flow_table_dashmap::FlowTable, || Some(ALLOCATOR.allocated()));
