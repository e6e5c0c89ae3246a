#!/usr/bin/env bash
# Counts the instructions of hot operations with callgrind, and prints a table for BENCHMARKS.md. Unlike times, the counts
# are repeatable. If valgrind is not installed, the script says so and succeeds.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null; then
    echo 'SKIPPED: valgrind is not installed'
    exit 0
fi
program=$(cargo build --release --package flow-table-benches --bin instructions --message-format json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
count() {
    local log operations
    log=$(mktemp)
    operations=$(valgrind --tool=callgrind --toggle-collect='instructions::measured*' --callgrind-out-file=/dev/null \
        "$program" "$1" "$2" 2>"$log") || { cat "$log" >&2; rm -f "$log"; return 1; }
    awk -v operations="$operations" '/Collected/ { printf "%.0f", $NF / operations }' "$log"
    rm -f "$log"
}

printf '| %-14s | %9s | %9s |\n|---|---:|---:|\n' operation dashmap custom
for operation in hit hit_batch borrow_batch miss insert refresh reap_one; do
    dashmap=$(count dashmap "$operation")
    custom=$(count custom "$operation")
    printf '| %-14s | %9s | %9s |\n' "$operation" "$dashmap" "$custom"
done
