#!/usr/bin/env bash
# Measures everything twice, on a machine that has nothing else to do, counts instructions, and writes BENCHMARKS.md
# from the second run. The report says how far the two agree. Takes less than an hour.
set -euo pipefail
cd "$(dirname "$0")/.."

record=benches/record
bench() { cargo run --release --locked --package flow-table-benches -- bench "$@"; }

bench --full --record "$record/first" >/dev/null
bench --full --record "$record/last"
benches/instructions.sh | tee "$record/last/instructions.md"
bench report "$record/last" --before "$record/first" --output BENCHMARKS.md
