//! A million flows and the memory they leave, measured at the allocator: what it gives back to the system is its
//! own affair.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

flow_table_conformance::flood_test!(flow_table_dashmap::FlowTable, || Some(ALLOCATOR.allocated()));
