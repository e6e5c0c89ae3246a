# Rates of the gateway's pass-through, of the gateway and of the kernel's NAT, in turn. Sourced by scripts/netns.
#
# All of it, both ends and the kernel included, shares this machine's processors, so only ratios mean something: to
# pass-through, in the same round. ROUNDS: how many.
has iperf3 || skip 'there is no iperf3'
rate=${FLOW_TABLE_GATEWAY%/*}/examples/connection_rate
[[ -x $rate ]] || cargo build --release --quiet --package flow-table-gateway --example connection_rate
[[ -x $rate ]] || fail "there is no $rate"
server=198.51.100.2
measures='tcp-1 tcp-8 udp-64 connections'

measure() { # measure NAME: prints one number
    case $1 in
    tcp-*) in_ns client iperf3 --json -c $server -t 4 -O 1 -P "${1#*-}" | python3 -c '
import json, sys
print(round(json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"] / 1e6))' ;;
    udp-64) in_ns client iperf3 --json -c $server -t 4 -u -b 0 -l 64 | python3 -c '
import json, sys
end = json.load(sys.stdin)["end"]["sum"]
print(round((end["packets"] - end["lost_packets"]) / end["seconds"]))' ;;
    connections) in_ns client "$rate" run $server:70 4 ;;
    esac
}

# What a gateway has used so far: nanoseconds of processor time, and packets.
used() {
    [[ -z ${gateway:-} ]] || echo "$(awk '{print ($14 + $15) * 10000000}' "/proc/$gateway/stat")" \
        "$(show stats | sed -n 's/.*"forwarded": \([0-9]*\),/\1/p')"
}

: >"$run.speed"
for round in $(seq "${ROUNDS:-3}"); do
    for variant in pass-through gateway kernel; do
        [[ $variant != kernel ]] || has nft || continue
        gateway=''
        topology
        case $variant in
        pass-through) pass_through=yes ours ;;
        gateway) ours '[timeouts.tcp]' 'closed = 1' '[limits]' 'flows_per_source = 1000000' ;;
        kernel) kernel ;;
        esac
        start server iperf3 --server
        start server "$rate" serve 70
        sleep 1
        for measure in $measures; do
            before=$(used)
            echo "$round $variant $measure $(measure "$measure")" | tee -a "$run.speed"
            [[ -z $before ]] || echo "$round $variant $measure-ns-of-cpu-per-packet $(
                awk '{print int(($3 - $1) / ($4 - $2 + 1))}' <<<"$before $(used)"
            )" | tee -a "$run.speed"
        done
        remove
    done
done
python3 - "$run.speed" <<'PY'
import statistics, sys
seen = {}
for line in open(sys.argv[1]):
    round_, variant, measure, value = line.split()
    seen.setdefault(measure, {}).setdefault(variant, {})[round_] = float(value)
print("\n| | pass-through | gateway | ratio | kernel | ratio |\n|---|---|---|---|---|---|")
for measure, variants in seen.items():
    base, cells = variants["pass-through"], []
    for variant in ("gateway", "kernel"):
        values = variants.get(variant)
        if values:
            ratio = statistics.median(values[r] / base[r] for r in values)
            cells += [f"{statistics.median(values.values()):,.0f}", f"{ratio:.2f}"]
    print(f"| {measure} | {statistics.median(base.values()):,.0f} | " + " | ".join(cells) + " |")
PY
rm -f "$run.speed"
