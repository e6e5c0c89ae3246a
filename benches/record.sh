#!/usr/bin/env bash
# Measures everything twice, on a machine that has nothing else to do, and writes BENCHMARKS.md from the second run. The
# report says how far the two agree. Takes less than an hour.
set -euo pipefail
cd "$(dirname "$0")/.."

bench() { cargo run --release --package flow-table-cli -- bench "$@"; }

bench --full --record benches/record/first
bench --full --record benches/record/last --before benches/record/first --report BENCHMARKS.md
