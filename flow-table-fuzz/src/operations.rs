//! Operations on a table, compared step by step with the reference model.

use flow_table_api::{Key, Value};
use flow_table_conformance::Backend;
use flow_table_conformance::random::Driver;

use crate::steps::decode;

struct Custom;

impl Backend for Custom {
    type Table<K: Key + Clone, V: Value> = flow_table_custom::FlowTable<K, V>;
}

struct Dashmap;

impl Backend for Dashmap {
    type Table<K: Key + Clone, V: Value> = flow_table_dashmap::FlowTable<K, V>;
}

/// Runs the operations on the custom backend.
pub fn custom(bytes: &[u8]) {
    run::<Custom>(bytes);
}

/// Runs the operations on the dashmap backend.
pub fn dashmap(bytes: &[u8]) {
    run::<Dashmap>(bytes);
}

fn run<B: Backend>(bytes: &[u8]) {
    let (config, steps) = decode(bytes);
    if let Err(disagreement) = Driver::<B>::run(config.clone(), &steps) {
        panic!("{config:?} {steps:?}\n{}", disagreement.0);
    }
}
