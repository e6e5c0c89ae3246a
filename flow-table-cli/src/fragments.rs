//! Later fragments, which have no ports of their own.

use std::net::SocketAddr;
use std::time::Duration;

use flow_table::Flow as _;
use flow_table::{Budget, FlowKey, FlowSpec, FlowTable, OnExpiry, Table, Timestamp};

use crate::clock::PacketClock;
use crate::packet::{Class, Fragment};

/// The number of packets whose later fragments are awaited, at most.
const CAPACITY: usize = 1 << 16;
/// For how long, as in Linux.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How many of them a fragment removes at most when their time is over.
const BUDGET: Budget = Budget::flows(16);

/// The key and class of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Followed {
    pub(crate) key: FlowKey,
    pub(crate) class: Class,
}

/// Remembers first fragments in a table of its own, under their addresses, protocol and identification. Nothing is
/// reassembled, and a fragment that comes before the first one keeps port zero. A full table forgets nothing: it
/// does not learn new packets until the time of old ones is over.
pub(crate) struct Fragments {
    firsts: FlowTable<FlowKey, Followed>,
    clock: PacketClock,
    unfollowed: u64,
}

impl Fragments {
    pub(crate) fn new() -> Self {
        Self { firsts: FlowTable::new(CAPACITY), clock: PacketClock::default(), unfollowed: 0 }
    }

    /// Returns the key and class of the first fragment if this is a later one, else its own.
    pub(crate) fn follow(&mut self, own: Followed, fragment: Fragment, timestamp: i128) -> Followed {
        let now = self.clock.advance(timestamp);
        match fragment {
            Fragment::Whole => own,
            Fragment::First(identification) => {
                self.learn(own, identification, now);
                own
            }
            Fragment::Later(identification) => {
                match self.firsts.lookup(&identified(&own.key, identification), now) {
                    Some(first) => *first.value(),
                    None => {
                        self.unfollowed += 1;
                        own
                    }
                }
            }
        }
    }

    fn learn(&self, own: Followed, identification: u32, now: Timestamp) {
        self.firsts.reap(now, BUDGET);
        let spec =
            FlowSpec::new(identified(&own.key, identification)).timeout(TIMEOUT).on_expiry(OnExpiry::Remove);
        // A packet that reuses the identification takes its place. If there is no room, its later fragments are
        // counted as unfollowed.
        let _ = self.firsts.insert(spec.value(own), now);
    }

    pub(crate) const fn unfollowed(&self) -> u64 {
        self.unfollowed
    }
}

/// The key with the identification in place of the ports.
fn identified(key: &FlowKey, identification: u32) -> FlowKey {
    let [high, low] = [(identification >> 16) as u16, identification as u16];
    let source = SocketAddr::new(key.source().ip(), high);
    let destination = SocketAddr::new(key.destination().ip(), low);
    let key_of_packet = FlowKey::new(source, destination, key.protocol()).expect("both ends are as before");
    key_of_packet.with_tenant(key.tenant())
}
