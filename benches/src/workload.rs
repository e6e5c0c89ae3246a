//! The names and descriptions of the workloads, for everything that runs, prints or explains them.

use std::fmt;
use std::str::FromStr;

use crate::data::BURST;

/// What is measured. See [`about`](Self::about).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Workload {
    /// See [`about`](Self::about), as for all.
    LookupHit,
    /// Look-ups in batches.
    LookupHitBatch,
    /// Look-ups of which few flows get most.
    LookupZipf,
    /// Look-ups that borrow.
    BorrowHit,
    /// Look-ups that borrow, in batches.
    BorrowHitBatch,
    /// Look-ups of unknown keys.
    LookupMiss,
    /// Look-ups of unknown keys, in batches.
    LookupMissBatch,
    /// Expire one, insert one.
    Churn,
    /// The usual work of a dataplane.
    PacketMix,
    /// All flows due at once.
    ReapStorm,
    /// Nothing due.
    ReapIdle,
    /// From empty.
    Grow,
    /// One-packet flows against a capacity.
    Flood,
    /// Flows with two keys.
    NatPair,
    /// Visit all.
    Iterate,
}

/// A workload as data.
struct Spec {
    workload: Workload,
    name: &'static str,
    about: &'static str,
    /// The flows stay as they are, so one table serves all workloads of this kind.
    standing: bool,
    /// Several threads can run it at once.
    parallel: bool,
    /// Single steps are worth timing.
    latency: bool,
    /// It handles each flow of the table once, however long that takes.
    whole: bool,
    /// Operations between two readings of the clock when steps are timed.
    step: usize,
}

/// One look-up after the other: what most workloads have in common.
const LOOK_UP: Spec = Spec {
    workload: Workload::LookupHit,
    name: "",
    about: "",
    standing: true,
    parallel: true,
    latency: true,
    whole: false,
    step: 1,
};

/// All flows of a table.
const WHOLE: Spec = Spec { parallel: false, whole: true, ..LOOK_UP };

const SPECS: &[Spec] = &[
    Spec {
        workload: Workload::LookupHit,
        name: "lookup_hit",
        about: "Packets of known flows, one by one: look the flow up, move its deadline, let the handle go. \
                Flows are hit evenly and in random order; the clock moves 100 ns with each packet, so that \
                every refresh writes. No packet waits for what became of the one before, so the processor may \
                begin the next look-up early.",
        ..LOOK_UP
    },
    Spec {
        workload: Workload::LookupHitBatch,
        name: "lookup_hit_batch",
        about: "The same in batches of 32: look all of them up at once, refresh each, let the handles go.",
        step: BURST,
        ..LOOK_UP
    },
    Spec {
        workload: Workload::LookupZipf,
        name: "lookup_zipf",
        about: "lookup_hit with the popularity of real traffic: the flow of rank k gets a share proportional \
                to 1/k. Popular flows lie scattered in memory.",
        ..LOOK_UP
    },
    Spec {
        workload: Workload::BorrowHit,
        name: "borrow_hit",
        about: "lookup_hit within bursts of 32 packets, borrowing: no handle, no reference counted. Each \
                packet is looked up and refreshed before the next one.",
        step: BURST,
        ..LOOK_UP
    },
    Spec {
        workload: Workload::BorrowHitBatch,
        name: "borrow_hit_batch",
        about: "borrow_hit, but the 32 packets of a burst are looked up at once and then refreshed.",
        step: BURST,
        ..LOOK_UP
    },
    Spec {
        workload: Workload::LookupMiss,
        name: "lookup_miss",
        about: "Packets of no known flow in a full table, one by one: what a scan or a flood looks up. There \
                are as many unknown keys as flows.",
        ..LOOK_UP
    },
    Spec {
        workload: Workload::LookupMissBatch,
        name: "lookup_miss_batch",
        about: "The same in batches of 32.",
        step: BURST,
        ..LOOK_UP
    },
    Spec {
        workload: Workload::Churn,
        name: "churn",
        about: "Steady state of a table whose flows have one packet each: reap, which expires the oldest \
                flow, and insert a new one. The timeout is a minute, and the clock moves as fast as that \
                takes. One operation is both. On several threads each reaps its own share.",
        standing: false,
        ..LOOK_UP
    },
    Spec {
        workload: Workload::PacketMix,
        name: "packet_mix",
        about: "What a dataplane does all day, in bursts of 32 packets: look the burst up, borrowing, and \
                refresh what is found; insert a flow for each packet that has none (one in 20); reap this \
                thread's share. A flow gets its packets during the first third of its life and then idles \
                until it expires, along the way. One operation is a packet.",
        standing: false,
        step: BURST,
        ..LOOK_UP
    },
    Spec {
        workload: Workload::ReapStorm,
        name: "reap_storm",
        about: "All flows of the table are due at once, as after an outage: one reap. One operation is a flow.",
        standing: false,
        latency: false,
        ..WHOLE
    },
    Spec {
        workload: Workload::ReapIdle,
        name: "reap_idle",
        about: "Reap with nothing due, as between bursts. One operation is a call.",
        parallel: false,
        ..LOOK_UP
    },
    Spec {
        workload: Workload::Grow,
        name: "grow",
        about: "Insert into an empty table until it holds all flows, in a process of its own. Each insertion \
                is timed (one reading of the clock included), and the process's resident size before and \
                after gives the bytes per flow.",
        standing: false,
        ..WHOLE
    },
    Spec {
        workload: Workload::Flood,
        name: "flood",
        about: "One-packet flows come twice as fast as a full table lets old ones go, and nobody reaps: look \
                up, miss, insert. About half are refused; the others get the room of flows that are due, \
                which the insertion finds. Timeouts are random.",
        standing: false,
        ..LOOK_UP
    },
    Spec {
        workload: Workload::NatPair,
        name: "nat_pair",
        about: "churn of two-key flows with a packet in each direction: reap, which expires the oldest pair, \
                insert a new one, look a random live one up by its forward key and another by its reply key, \
                refreshing neither. One operation is all four.",
        standing: false,
        ..LOOK_UP
    },
    Spec {
        workload: Workload::Iterate,
        name: "iterate",
        about: "Visit all flows. One operation is a flow.",
        latency: false,
        ..WHOLE
    },
];

impl Workload {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        SPECS.iter().map(|spec| spec.workload)
    }

    fn spec(self) -> &'static Spec {
        SPECS.iter().find(|spec| spec.workload == self).expect("every workload has its entry")
    }

    /// The name in commands, records and reports.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// What it does, in a paragraph.
    pub fn about(self) -> &'static str {
        self.spec().about
    }

    /// Whether it leaves the flows as they are, so that one table serves all workloads of this kind.
    pub fn is_standing(self) -> bool {
        self.spec().standing
    }

    /// Whether several threads can run it at once.
    pub fn is_parallel(self) -> bool {
        self.spec().parallel
    }

    /// Whether single steps are worth timing.
    pub fn has_latency(self) -> bool {
        self.spec().latency
    }

    /// Whether a run handles each flow of the table once, and so cannot be shorter or longer.
    pub fn is_whole(self) -> bool {
        self.spec().whole
    }

    /// The number of operations in a step. Latencies are those of steps.
    pub fn step(self) -> usize {
        self.spec().step
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Workload {
    type Err = UnknownWorkload;

    fn from_str(name: &str) -> Result<Self, UnknownWorkload> {
        Self::all().find(|workload| workload.name() == name).ok_or_else(|| UnknownWorkload(name.to_owned()))
    }
}

/// A name that no workload has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no workload '{0}'")]
pub struct UnknownWorkload(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_workloads() {
        for workload in Workload::all() {
            assert_eq!(workload.name().parse(), Ok(workload));
        }
        assert_eq!("lookup".parse::<Workload>(), Err(UnknownWorkload("lookup".into())));
    }
}
