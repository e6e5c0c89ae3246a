//! The core: what a table and its handles share. It lives until the table and all entries that handles keep are
//! gone.

mod keeper;

use std::thread;

use flow_table_api::TableConfig;

pub(crate) use keeper::Keeper;

use crate::flows::Recorder;
use crate::grace::{Bursts, Limbo};
use crate::shard::Shards;
use crate::sync::{Arc, AtomicUsize, Weak};

pub(crate) struct Core<K, V> {
    pub(crate) shards: Shards<K, V>,
    pub(crate) bursts: Bursts,
    pub(crate) limbo: Limbo,
    /// The shard at which the next reap starts.
    pub(crate) reap_from: AtomicUsize,
    /// The iterations that are going on.
    pub(crate) iterations: AtomicUsize,
    /// The number of samples taken, which tells the next one where to start.
    pub(crate) sampled: AtomicUsize,
    pub(crate) keeper: Keeper<Arc<Core<K, V>>>,
    /// Makes final records of the flows, if the table makes any (contract R7).
    pub(crate) records: Option<Recorder<K, V>>,
    me: Weak<Core<K, V>>,
}

impl<K, V> Core<K, V> {
    pub(crate) fn new(config: &TableConfig, records: Option<Recorder<K, V>>) -> Arc<Self> {
        let processors = thread::available_parallelism().map_or(4, |count| count.get());
        let shards = Shards::new(config, processors);
        // What the system has no memory for now is asked for when it is needed.
        let _ = shards.keep(config.prefaulted());
        Arc::new_cyclic(|me| Self {
            shards,
            bursts: Bursts::new((processors * 2).next_power_of_two()),
            limbo: Limbo::new(),
            reap_from: AtomicUsize::new(0),
            iterations: AtomicUsize::new(0),
            sampled: AtomicUsize::new(0),
            keeper: Keeper::new(),
            records,
            me: me.clone(),
        })
    }

    /// Returns another owner of the core. The core lives while the table or any entry in use does.
    pub(crate) fn share(&self) -> Arc<Self> {
        self.me.upgrade().expect("whoever can call has a reference to a flow or the table")
    }

    /// The address of the core, which identifies the table.
    #[inline]
    pub(crate) fn address(&self) -> *const () {
        std::ptr::from_ref(self).cast()
    }

    pub(crate) fn memory(&self) -> usize {
        self.shards.memory() + self.limbo.memory() + size_of::<Self>()
    }
}
