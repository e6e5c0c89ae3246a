# A pair whose active machine dies: connections that trickle checked data, a download and an ssh session go on. First with
# gateways of ours, then with the kernel's NAT and conntrackd. Sourced by scripts/netns.
#
# CONNECTIONS: how many trickle over IPv4; a fifth as many do over IPv6. CHURN: new connections a second while gw-a dies.
# VARIANTS: `ours`, `kernel` or both.
# shellcheck source=/dev/null
source "$programs/table.sh"
# shellcheck source=/dev/null
source "$programs/pair.sh"
has keepalived || skip 'there is no keepalived'
connections=${CONNECTIONS:-1000}
churn=${CHURN:-2000}
steady=${FLOW_TABLE_GATEWAY%/*}/examples/steady_connections
[[ -x $steady ]] || cargo build --release --quiet --package flow-table-gateway --example steady_connections
[[ -x $steady ]] || fail "there is no $steady"

trickles() { # trickles FAMILY COUNT
    local address=server$1
    in_ns client python3 "$programs/connections.py" run "${!address}" 7 "$2" 25 >"$run/trickle$1" 2>&1 &
}

failover() { # failover VARIANT
    local variant=$1 failed=0 trickle4 trickle6 download ssh='' churning killed active device
    pair
    "${variant}_pair"
    services
    start server "$steady" serve 71
    echo "gw-a is active. $connections and $((connections / 5)) connections, a download, an ssh session," \
        "$churn new connections a second."

    trickles 4 "$connections"
    trickle4=$!
    trickles 6 $((connections / 5))
    trickle6=$!
    in_ns client curl --silent --show-error --limit-rate 2M --max-time 60 "http://$server4/50000000" \
        >"$run/download" &
    download=$!
    if [[ -f $run/key ]]; then
        in_ns client ssh -i "$run/key" -o StrictHostKeyChecking=no -o BatchMode=yes -o UserKnownHostsFile=/dev/null \
            "root@$server4" 'for i in $(seq 20); do echo $i; sleep 1; done' >"$run/ssh" 2>/dev/null &
        ssh=$!
    fi
    sleep 6
    in_ns client "$steady" run "$server4:71" "$churn" 6 >"$run/churn" 2>"$run/churn-errors" &
    churning=$!
    sleep 3
    echo "gw-a has $("${variant}_sessions" a) flows, gw-b has $("${variant}_sessions" b)"
    # The shell shall not report what is killed on purpose.
    # shellcheck disable=SC2046
    disown $("${variant}_processes" a)
    # shellcheck disable=SC2046
    kill -9 $("${variant}_processes" a)
    killed=$(date +%s%N)
    for device in inside outside log; do in_ns gw-a ip link set $device down; done
    wait_for 20 "${variant}_is_active" b || fail 'gw-b did not take over'
    active=$((($(date +%s%N) - killed) / 1000000))
    echo "gw-a was killed; gw-b was seen active after $active ms with $("${variant}_sessions" b) flows"
    grep -o 'promoted.*' "$run/log" | tail -1 || true

    wait $trickle4 || failed=1
    wait $trickle6 || failed=1
    echo "trickle over IPv4: $(tail -2 "$run/trickle4")"
    echo "trickle over IPv6: $(tail -2 "$run/trickle6")"
    wait $download || failed=1
    [[ $(wc -c <"$run/download") == 50000000 && -z $(tr -d x <"$run/download") ]] || failed=1
    echo "download: $(wc -c <"$run/download") bytes"
    if [[ -n $ssh ]]; then
        wait "$ssh" || failed=1
        echo "ssh: last line $(tail -1 "$run/ssh") of 20"
        [[ $(tail -1 "$run/ssh") == 20 ]] || failed=1
    fi
    # Those that are younger than the lag of the log may fail: the number is told, and is no failure.
    wait $churning || { cat "$run/churn-errors" && failed=1; }
    echo "$churn new connections a second; of those that were open when gw-a was killed:"
    "$steady" ages "$run/churn" "$killed"
    if in_ns gw-b curl --silent http://127.0.0.1:9100/metrics >"$run/metrics"; then
        grep '^flow_table_replicate_owned_shards{.*} 256$' "$run/metrics" || failed=1
    fi
    remove
    return $failed
}

for variant in ${VARIANTS:-ours kernel}; do
    case $variant in
    ours)
        has nats-server || { echo 'SKIPPED: our pair: there is no nats-server' && continue; }
        "$FLOW_TABLE_GATEWAY" promote --help >/dev/null
        echo 'flow-table-gateway, NATS and keepalived:'
        failover ours || fail 'a connection did not survive'
        echo 'All long connections survived.'
        ;;
    kernel)
        if ! has nft || ! has conntrackd; then
            echo 'SKIPPED: the kernel beside it: there is no nft or no conntrackd' && continue
        fi
        echo 'Kernel (nftables), conntrackd and keepalived:'
        # Whether others survive is not ours to judge.
        failover kernel && echo 'All long connections survived.' || echo 'Not all long connections survived.'
        ;;
    esac
done
