//! Tests of the crate's parts together, and of what cannot be seen from outside.

#[cfg(not(flow_table_loom))]
mod cost;
#[cfg(not(flow_table_loom))]
mod leftovers;
#[cfg(flow_table_loom)]
mod models;
#[cfg(not(any(flow_table_loom, flow_table_shuttle)))]
mod out_of_memory;
