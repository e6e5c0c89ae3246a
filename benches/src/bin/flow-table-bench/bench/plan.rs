//! What is measured, and how thoroughly.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use flow_table_benches::measure::Effort;
use flow_table_benches::{Candidate, Role, Setting, Workload, available_bytes};

use super::args::MeasureArgs;

const SHORT_SIZES: &[usize] = &[1 << 16, 1 << 20];
/// Workloads that handle all flows of a table get at most the second number of rounds if the table has up to the
/// first number of flows.
const WHOLE_ROUNDS: [(usize, usize); 2] = [(1 << 18, usize::MAX), (usize::MAX, 3)];
const FULL_SIZES: &[usize] = &[1 << 16, 1 << 20, 1 << 23];
/// In larger tables, the full set leaves out what would take most of the time.
const ALL_PEERS: usize = 1 << 21;

/// What is measured, and how thoroughly.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) workloads: Vec<Workload>,
    pub(crate) sizes: Vec<usize>,
    pub(crate) threads: Vec<usize>,
    full: bool,
    rounds: usize,
    turn: Duration,
    /// How many bytes the tables that are measured together may take.
    memory: u64,
}

impl Plan {
    pub(crate) fn new(args: &MeasureArgs) -> Self {
        let wanted = |candidate: &Candidate| match candidate.role() {
            Role::Backend => args.backend.is_empty() || args.backend.contains(candidate),
            Role::Peer => args.peers || args.full,
            Role::Floor => true,
        };
        let all_threads = if args.full { vec![1, 2, processors()] } else { vec![1] };
        Self {
            candidates: Candidate::ALL.iter().copied().filter(wanted).collect(),
            workloads: or_else(&args.workload, || Workload::all().collect()),
            sizes: or_else(&args.flows, || if args.full { FULL_SIZES.into() } else { SHORT_SIZES.into() }),
            threads: or_else(&args.threads, || all_threads),
            full: args.full,
            rounds: args.rounds.unwrap_or(if args.full { 7 } else { 5 }),
            turn: Duration::from_millis(args.turn.unwrap_or(15)),
            memory: available_bytes().map_or(u64::MAX, |bytes| bytes / 3 * 2),
        }
    }

    /// How thoroughly `workload` is measured. Workloads that cannot be shortened get fewer rounds. Where flows
    /// come and go, some operations do much work for all others, so turns are longer.
    pub(crate) fn effort(&self, workload: Workload, flows: usize) -> Effort {
        let most = WHOLE_ROUNDS.iter().find(|(most_flows, _)| flows <= *most_flows);
        let rounds = match most {
            Some((_, rounds)) if workload.is_whole() => self.rounds.min(*rounds),
            _ => self.rounds,
        };
        Effort { rounds, turn: if workload.is_standing() { self.turn } else { 3 * self.turn } }
    }

    /// Returns `true` if `candidate` is measured in a setting: it can run the workload, and the result is worth
    /// the time. Serial floors and those in small pages have the same results with any number of threads.
    pub(crate) fn wants(&self, candidate: Candidate, setting: Setting) -> bool {
        use Candidate::{Floor, FloorCounted, Moka};
        let Setting { workload, threads, flows } = setting;
        let spared = match candidate.role() {
            Role::Backend => false,
            Role::Floor => threads > 1 && !matches!(candidate, Floor | FloorCounted),
            Role::Peer if flows <= ALL_PEERS => candidate == Moka && threads > 1 && !workload.is_standing(),
            Role::Peer => {
                candidate == Moka || threads > 1 || matches!(workload, Workload::ReapStorm | Workload::Iterate)
            }
        };
        candidate.cannot(workload).is_none() && !(self.full && spared)
    }

    /// The candidates that are measured in one of `workloads`, in groups whose tables fit into memory together.
    /// The backends and the floors come first.
    pub(crate) fn groups(&self, workloads: &[Workload], threads: usize, flows: usize) -> Vec<Vec<Candidate>> {
        let wanted = |candidate: &Candidate| {
            workloads.iter().any(|&workload| self.wants(*candidate, Setting { workload, threads, flows }))
        };
        let mut candidates: Vec<Candidate> = self.candidates.iter().copied().filter(wanted).collect();
        candidates.sort_by_key(|candidate| candidate.role() == Role::Peer);
        let mut groups: Vec<Vec<Candidate>> = Vec::new();
        let mut left = 0;
        for candidate in candidates {
            let bytes = (candidate.bytes_per_flow() * flows) as u64;
            match groups.last_mut().filter(|_| bytes <= left) {
                Some(group) => group.push(candidate),
                None => {
                    groups.push(vec![candidate]);
                    left = self.memory;
                }
            }
            left = left.saturating_sub(bytes);
        }
        groups
    }

    /// The number of workers: as many as are needed or, to fill tables faster, as there are processors.
    pub(crate) fn workers(&self) -> usize {
        self.threads.iter().copied().max().unwrap_or(1).max(processors())
    }

    /// The numbers of threads that `workload` can run on.
    pub(crate) fn threads(&self, workload: Workload) -> &[usize] {
        if workload.is_parallel() { &self.threads } else { &[1] }
    }
}

fn processors() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Returns what was asked for, each once and in order, or `all` if nothing was.
fn or_else<T: Clone + Ord>(asked: &[T], all: impl FnOnce() -> Vec<T>) -> Vec<T> {
    let mut chosen = if asked.is_empty() { all() } else { asked.to_vec() };
    chosen.sort();
    chosen.dedup();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_table_benches::Candidate::{Custom, Dashmap, Floor, Papaya};

    fn plan() -> Plan {
        Plan {
            candidates: vec![Dashmap, Custom, Papaya, Floor],
            workloads: Vec::new(),
            sizes: Vec::new(),
            threads: Vec::new(),
            full: false,
            rounds: 1,
            turn: Duration::ZERO,
            memory: u64::MAX,
        }
    }

    #[test]
    fn nothing_that_is_asked_for_is_spared() {
        let mut plan = plan();
        let setting = Setting { workload: Workload::Churn, threads: 2, flows: 1 << 23 };
        assert!(plan.wants(Papaya, setting) && plan.wants(Dashmap, setting));
        plan.full = true;
        assert!(!plan.wants(Papaya, setting) && plan.wants(Dashmap, setting));
        assert!(plan.wants(Papaya, Setting { threads: 1, ..setting }));
    }

    #[test]
    fn groups_fit_into_memory() {
        let mut plan = plan();
        let groups = |plan: &Plan, workload| plan.groups(&[workload], 1, 1_000);
        assert_eq!(groups(&plan, Workload::LookupHit), [[Dashmap, Custom, Floor, Papaya]]);
        assert_eq!(groups(&plan, Workload::Churn), [[Dashmap, Custom, Papaya]]);
        plan.memory = 900_000;
        assert_eq!(groups(&plan, Workload::LookupHit), [vec![Dashmap, Custom, Floor], vec![Papaya]]);
        plan.memory = 1;
        assert_eq!(groups(&plan, Workload::Churn), [[Dashmap], [Custom], [Papaya]]);
    }
}
