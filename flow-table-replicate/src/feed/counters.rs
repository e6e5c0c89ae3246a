use std::sync::atomic::{AtomicU64, Ordering};

/// A count that several threads add to.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self, number: u64) {
        // Relaxed: a count orders nothing.
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// The counters as they are kept.
        #[derive(Debug, Default)]
        pub(crate) struct Counting {
            $(pub(crate) $name: Count,)+
        }

        /// What a table's replication has done, since the table was made.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Counters {
            /// Each counter with its name and its description.
            #[cfg(feature = "metrics")]
            pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), concat!($($doc),+), self.$name),)+].into_iter()
            }
        }

        impl Counting {
            pub(crate) fn read(&self) -> Counters {
                Counters { $($name: self.$name.get(),)+ }
            }
        }
    };
}

counters! {
    /// Records handed to the publisher.
    recorded,
    /// Records dropped because the ring was full or the transport did not take them. The next sweep repeats their
    /// shards.
    dropped,
    /// Flows that were not recorded because the form of their key or value is too long.
    oversized,
    /// Ended flows that were not handed over because another gateway owns their shards.
    not_exported,
    /// Final records that were not exported: another gateway has taken their shards meanwhile, or too many waited
    /// for the log.
    unexported,
    /// Batches that the transport has acknowledged.
    published,
    /// Batches that were published again, because their acknowledgement did not come.
    repeated,
    /// Batches that were given up.
    given_up,
    /// Sweeps that were written to their end.
    sweeps,
    /// Batches that a standby has read.
    received,
    /// Records that a standby has applied.
    applied,
    /// Records refused because a newer one of the same flow had been applied, or the flow had ended.
    duplicates,
    /// Records refused because their writer no longer owns the shard.
    stale,
    /// Flows named by a sweep that the standby does not have.
    missing,
    /// Batches that did not come, by their numbers.
    gaps,
    /// Batches and records that could not be read.
    corrupt,
    /// Batches and records of a later version, skipped.
    unknown,
    /// Records of flows that are in another shard by this process's cluster key.
    misplaced,
    /// Flows that a standby could not take: its table is full, or another flow has the reply key.
    refused,
    /// Sweeps that a standby has received completely.
    completed,
    /// Flows that a standby dropped because a complete sweep did not name them.
    unnamed,
}
