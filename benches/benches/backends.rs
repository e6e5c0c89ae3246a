//! The workloads for both backends, one group each: `cargo bench -p flow-table-benches -- 'lookup_hit/'` runs one.
//!
//! Growing is missing: latencies and memory are what counts there, and Criterion measures neither.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flow_table_benches::{Candidate, Contender, Crew, Role, Run, Setting, Workload};

/// One size that partly fits into a processor's caches, and one that does not.
const SIZES: &[usize] = &[1 << 16, 1 << 20];
/// In test mode, as Criterion defines it, each benchmark runs once and nothing is measured.
const TEST_SIZES: &[usize] = &[1 << 8];
/// The most operations in one run; Criterion's longer samples are several.
const OPERATIONS: u64 = 1 << 17;

fn compare(criterion: &mut Criterion, crew: &Crew, workload: Workload) {
    let testing = !std::env::args().any(|arg| arg == "--bench") || std::env::args().any(|arg| arg == "--test");
    let mut group = criterion.benchmark_group(workload.name());
    group.throughput(Throughput::Elements(1)).sample_size(20);
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    for &flows in if testing { TEST_SIZES } else { SIZES } {
        let able = Candidate::ALL.iter().filter(|candidate| candidate.cannot(workload).is_none());
        for &candidate in able.filter(|candidate| candidate.role() == Role::Backend) {
            let mut contender = None;
            group.bench_function(BenchmarkId::new(candidate.name(), flows), |bencher| {
                // This runs once, outside of what is timed, and not at all if the name is filtered out.
                let contender = contender.get_or_insert_with(|| {
                    Contender::new(candidate, Setting { workload, threads: 1, flows }, 0, crew)
                });
                bencher.iter_custom(|operations| {
                    let (mut done, mut elapsed) = (0, Duration::ZERO);
                    while done < operations {
                        let rest = (operations - done).min(OPERATIONS) as usize;
                        let run = Run { workload, threads: 1, operations: rest };
                        elapsed += contender.run(crew, run);
                        done += if workload.is_whole() { flows } else { rest } as u64;
                    }
                    elapsed.mul_f64(operations as f64 / done as f64)
                });
            });
        }
    }
    group.finish();
}

fn backends(criterion: &mut Criterion) {
    let crew = Crew::new(1);
    Workload::all()
        .filter(|workload| *workload != Workload::Grow)
        .for_each(|workload| compare(criterion, &crew, workload));
}

criterion_group!(benches, backends);
criterion_main!(benches);
