use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use flow_table::{Budget, Flow, FlowSpec, FlowTable, Handle, Table, Timestamp};

/// The source has as many flows as it may have, or there is no room to count them.
#[derive(Debug)]
pub(crate) struct TooMany;

/// Counts the flows of each source. As with mappings, flows hold handles to their source, and the table forgets it
/// when the last one is dropped.
pub(crate) struct Sources(FlowTable<IpAddr, AtomicU32>);

/// A place among the flows of a source. Dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Source(Handle<IpAddr, AtomicU32>);

/// How long a source without flows is known.
const GRACE: Duration = Duration::from_secs(1);

impl Sources {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(FlowTable::new(capacity))
    }

    /// Takes one of `limit` places of this source.
    pub(crate) fn take(&self, address: IpAddr, limit: u32, now: Timestamp) -> Result<Source, TooMany> {
        let address = match address {
            IpAddr::V4(_) => address,
            // A host has a network of 64 bits to choose its addresses from.
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        };
        let source = match self.0.lookup(&address, now) {
            Some(source) => source,
            None => {
                let spec = FlowSpec::new(address).timeout(GRACE);
                self.0.get_or_insert_with(spec, now, AtomicU32::default).map_err(|_| TooMany)?.into_flow()
            }
        };
        // Relaxed: the count orders nothing but itself.
        let more = |flows: u32| (flows < limit).then_some(flows + 1);
        match source.value().fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(Source(source)),
            Err(_) => Err(TooMany),
        }
    }

    pub(crate) fn reap(&self, now: Timestamp, budget: Budget) {
        self.0.reap(now, budget);
    }

    pub(crate) fn memory(&self) -> usize {
        self.0.memory()
    }

    pub(crate) fn set_capacity(&self, capacity: usize) {
        self.0.set_capacity(capacity);
    }
}

impl Source {
    pub(crate) fn address(&self) -> IpAddr {
        *self.0.key()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.0.value().fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_known_while_it_has_flows_and_its_limit_holds() {
        let sources = Sources::new(10);
        let (address, neighbour) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        let first = sources.take(address, 2, Timestamp::ZERO).unwrap();
        let hour = Timestamp::from_secs(3_600);
        sources.reap(hour, Budget::UNLIMITED);
        let second = sources.take(neighbour, 2, hour).unwrap();
        assert!(sources.take(address, 2, hour).is_err(), "the network has two flows, long after the grace");
        drop(first);
        let third = sources.take(address, 2, hour).unwrap();
        assert!(sources.take(address, 2, hour).is_err());
        drop((second, third));
        assert!(sources.take(address, 1, hour).is_ok());
    }
}
