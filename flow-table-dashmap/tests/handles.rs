//! A million handles that outlive their table, and the memory that they leave, measured at the allocator.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

flow_table_conformance::handles_test!(flow_table_dashmap::FlowTable, || Some(ALLOCATOR.allocated()));
