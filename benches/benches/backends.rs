//! Every workload for every backend, at two table sizes.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flow_table::{custom, dashmap};
use flow_table_benches::Workload;
use flow_table_benches::data::{Key, Payload};
use flow_table_benches::workloads::{Churn, HitRefresh, Miss};

type Custom = custom::FlowTable<Key, Payload>;
type Dashmap = dashmap::FlowTable<Key, Payload>;

/// One size that fits a processor's caches in part, and one that does not.
const SIZES: &[usize] = &[1 << 16, 1 << 20];
/// In test mode, as Criterion defines it, each benchmark runs once and nothing is measured.
const TEST_SIZES: &[usize] = &[1 << 8];

fn measure<W: Workload>(criterion: &mut Criterion, backend: &str) {
    let testing = !std::env::args().any(|arg| arg == "--bench") || std::env::args().any(|arg| arg == "--test");
    let mut group = criterion.benchmark_group(W::NAME);
    group.throughput(Throughput::Elements(1)).warm_up_time(Duration::from_secs(1)).sample_size(50);
    for &flows in if testing { TEST_SIZES } else { SIZES } {
        let mut workload = None;
        group.bench_function(BenchmarkId::new(backend, flows), |bencher| {
            // Once, outside of what is timed, and never if the name is filtered out.
            let workload = workload.get_or_insert_with(|| W::prepare(flows));
            bencher.iter_custom(|operations| {
                let start = Instant::now();
                workload.run(operations);
                start.elapsed()
            });
        });
    }
    group.finish();
}

fn backends(criterion: &mut Criterion) {
    measure::<HitRefresh<Dashmap>>(criterion, "dashmap");
    measure::<HitRefresh<Custom>>(criterion, "custom");
    measure::<Miss<Dashmap>>(criterion, "dashmap");
    measure::<Miss<Custom>>(criterion, "custom");
    measure::<Churn<Dashmap>>(criterion, "dashmap");
    measure::<Churn<Custom>>(criterion, "custom");
}

criterion_group!(benches, backends);
criterion_main!(benches);
