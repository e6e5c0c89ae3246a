//! Runs every workload once for everything that can run it, at a small size, so that nothing rots.

use std::time::Duration;

use flow_table_benches::grow::grow;
use flow_table_benches::measure::{Effort, measure};
use flow_table_benches::{Candidate, Contender, Crew, FEWEST_FLOWS, Role, Setting, Workload};

const FLOWS: usize = FEWEST_FLOWS + 1;
const EFFORT: Effort = Effort { rounds: 2, turn: Duration::ZERO };

fn run(threads: usize, flows: usize) {
    let crew = Crew::new(4);
    for workload in Workload::all().filter(|workload| threads == 1 || workload.is_parallel()) {
        let able: Vec<Candidate> =
            Candidate::ALL.iter().copied().filter(|candidate| candidate.cannot(workload).is_none()).collect();
        let setting = Setting { workload, threads, flows };
        let contenders = Contender::all(&able, setting, &crew);
        let mut steps = 0;
        let outcomes = measure(&contenders, &crew, setting, EFFORT, || steps += 1);
        assert_eq!(steps, EFFORT.rounds + 2);
        assert_eq!(outcomes.len(), contenders.len());
        for outcome in outcomes {
            assert_eq!(outcome.ns_per_op.len(), EFFORT.rounds, "{workload} {}", outcome.candidate);
            assert!(outcome.ns_per_op.iter().all(|ns| *ns > 0.0) && outcome.operations > 0);
            assert_eq!(outcome.latencies.is_some_and(|all| !all.is_empty()), workload.has_latency());
        }
    }
}

#[test]
fn with_one_thread() {
    run(1, FLOWS);
}

#[test]
fn with_several_threads() {
    run(3, FLOWS);
}

/// Each thread expires its own flows only, so that their number can be checked.
#[test]
fn with_equal_shares() {
    run(4, FEWEST_FLOWS);
}

#[test]
fn growing_tells_latencies() {
    let able = Candidate::ALL.iter().filter(|candidate| candidate.cannot(Workload::Grow).is_none());
    for candidate in able {
        let growth = grow(*candidate, FLOWS);
        assert!(growth.mean_ns > 0.0);
        assert!(growth.distribution.is_sorted_by_key(|(_, nanos)| *nanos), "{candidate}");
    }
}

#[test]
fn backends_can_do_everything() {
    for candidate in Candidate::ALL.iter().filter(|candidate| candidate.role() == Role::Backend) {
        let grows_only = *candidate == Candidate::CustomPrefaulted;
        let measured = |workload| !grows_only || workload == Workload::Grow;
        assert!(Workload::all().all(|workload| candidate.cannot(workload).is_none() == measured(workload)));
    }
}

#[test]
fn names_lead_to_candidates() {
    for candidate in Candidate::ALL {
        assert_eq!(candidate.name().parse(), Ok(*candidate));
    }
    assert!("floor_2m".parse::<Candidate>().is_err());
}
