#!/usr/bin/env bash
# Counts the instructions of hot operations with callgrind, and prints a table for BENCHMARKS.md. Unlike times, the counts
# are repeatable. If valgrind is not installed, the script says so and succeeds. Arguments go to cargo:
#
#   benches/instructions.sh --features c-peers     also counts the peers in C, as far as their libraries are installed
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null; then
    echo 'SKIPPED: valgrind is not installed'
    exit 0
fi
program=$(cargo build --release --package flow-table-benches --bin instructions "$@" \
    --message-format json-render-diagnostics |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
count() {
    local log operations
    log=$(mktemp)
    operations=$(valgrind --tool=callgrind --toggle-collect='instructions::measured*' --callgrind-out-file=/dev/null \
        "$program" "$1" "$2" 2>"$log") || { cat "$log" >&2; rm -f "$log"; return 1; }
    awk -v operations="$operations" '/Collected/ { printf "%.0f", $NF / operations }' "$log"
    rm -f "$log"
}

tables=(dashmap custom)
for peer in dpdk_rte_hash urcu_lfht; do
    if "$program" "$peer" hit >/dev/null 2>&1; then tables+=("$peer"); fi
done

printf '| %-14s |' operation
printf ' %13s |' "${tables[@]}"
printf '\n|---|%s\n' "$(printf -- '---:|%.0s' "${tables[@]}")"
for operation in hit hit_batch borrow_batch miss insert refresh reap_one; do
    printf '| %-14s |' "$operation"
    for table in "${tables[@]}"; do
        case $table-$operation in
            # Nothing of theirs can be kept from a look-up to refresh it later.
            dpdk_rte_hash-refresh | urcu_lfht-refresh) counted= ;;
            *) counted=$(count "$table" "$operation") ;;
        esac
        printf ' %13s |' "$counted"
    done
    printf '\n'
done
