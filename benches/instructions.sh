#!/usr/bin/env bash
# Counts the instructions of hot operations with callgrind:
#
#   benches/instructions.sh           prints a table for BENCHMARKS.md
#   benches/instructions.sh table --features c-peers
#                                     the same with the peers in C, as far as their libraries are installed
#   benches/instructions.sh check     compares the counts with benches/instructions.limits: none may be more than 5 %
#                                     above its limit
#   benches/instructions.sh record    writes the counts of now to benches/instructions.limits
#
# Unlike times, the counts are repeatable, but compilers differ: `check` skips where the limits were recorded with
# another one. Where valgrind is not installed, all forms say so and succeed.
set -euo pipefail
cd "$(dirname "$0")/.."

form=${1-table}
shift || true
limits=benches/instructions.limits
compiler=$(rustc --version)
operations=(hit borrow hit_batch borrow_batch miss miss_batch refresh insert insert_growing remove reap_one reap_16 reap_all)

if ! command -v valgrind >/dev/null; then
    echo 'SKIPPED: valgrind is not installed'
    exit 0
fi
if [[ $form == check ]] && ! grep -qxF "# $compiler" "$limits"; then
    echo "SKIPPED: $limits was recorded with another compiler than $compiler"
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

case $form in
    table)
        tables=(dashmap custom replicated)
        for peer in dpdk_rte_hash urcu_lfht; do
            if "$program" "$peer" hit >/dev/null 2>&1; then tables+=("$peer"); fi
        done
        printf '| %-14s |' operation
        printf ' %13s |' "${tables[@]}"
        printf '\n|---|%s\n' "$(printf -- '---:|%.0s' "${tables[@]}")"
        for operation in "${operations[@]}"; do
            printf '| %-14s |' "$operation"
            for table in "${tables[@]}"; do
                # The peers have not all of them.
                counted=$(count "$table" "$operation" 2>/dev/null) || counted=
                printf ' %13s |' "$counted"
            done
            printf '\n'
        done
        ;;
    record)
        {
            echo "# Instructions of each operation, as benches/instructions.sh record wrote them."
            echo "# $compiler"
            for backend in dashmap custom replicated; do
                for operation in "${operations[@]}"; do
                    echo "$backend $operation $(count "$backend" "$operation")"
                done
            done
        } >"$limits.new"
        mv "$limits.new" "$limits"
        ;;
    check)
        failed=0
        while read -r backend operation limit; do
            counted=$(count "$backend" "$operation")
            verdict=ok
            if ((counted * 100 > limit * 105)); then
                verdict='TOO MANY'
                failed=1
            fi
            printf '%-10s %-15s %6s, limit %6s + 5 %%: %s\n' "$backend" "$operation" "$counted" "$limit" "$verdict"
        done < <(grep -v '^#' "$limits")
        exit $failed
        ;;
    *)
        echo "usage: benches/instructions.sh [table|check|record] [ARGUMENTS OF CARGO]" >&2
        exit 2
        ;;
esac
