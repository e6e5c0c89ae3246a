//! A table that records its life, over each backend, against the contract. It records throughout: into buffers
//! that nobody publishes, so that the ring overflows too.

#[path = "common/codec.rs"]
mod codec;

use codec::Nothing;
use flow_table_replicate::{Replicated, Tracked};

mod custom {
    use super::*;

    type Recorded<K, V> = Replicated<K, V, flow_table_custom::FlowTable<K, Tracked<V>>, Nothing<K, V>>;
    flow_table_conformance::conformance_tests!(Recorded);
}

mod dashmap {
    use super::*;

    type Recorded<K, V> = Replicated<K, V, flow_table_dashmap::FlowTable<K, Tracked<V>>, Nothing<K, V>>;
    flow_table_conformance::conformance_tests!(Recorded);
}
