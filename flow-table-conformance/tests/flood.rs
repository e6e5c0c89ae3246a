//! A third party's backend returns memory to its allocator.

use std::alloc::System;

use cap::Cap;

#[allow(dead_code, reason = "nothing is broken here")]
mod stranger;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

flow_table_conformance::flood_test!(stranger::Stranger, || Some(ALLOCATOR.allocated()));
