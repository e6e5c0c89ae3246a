# Mixed traffic with churn through a pair, while the configuration is read again every ten seconds and the standby starts
# again every minute: no byte is lost, and the active one's memory stays as it is. Sourced by scripts/netns.
# shellcheck source=/dev/null
source "$programs/table.sh"
# shellcheck source=/dev/null
source "$programs/pair.sh"
for tool in nats-server keepalived; do has $tool || skip "there is no $tool"; done
seconds=${2:-1800}

pair
ours_pair
services
rss() { awk '/VmRSS/ {print $2}' "/proc/$gateway_a/status"; }
restart_standby() {
    disown "$gateway_b"
    kill "$gateway_b"
    # Its devices go with it.
    wait_for 10 no in_ns gw-b ip link show ft-out || fail 'gw-b did not end'
    member b 2
    wait_for 20 follows || fail "gw-b does not follow: $(ours_sessions a) flows at gw-a, $(ours_sessions b) at gw-b"
}
follows() { (($(ours_sessions b) * 10 >= $(ours_sessions a) * 9)); }

# Whatever a first round of traffic brings in is there from now on.
client python3 "$programs/connections.py" churn $server4 7 300 3
start client python3 "$programs/connections.py" run $server4 7 400 "$seconds"
trickle4=$started
start client python3 "$programs/connections.py" run $server6 7 100 "$seconds"
trickle6=$started
start client bash -c "while sleep 1; do ping -c 1 -W 2 $server4 >/dev/null || echo 'lost ping'; done"
begun=$SECONDS end=$((SECONDS + seconds)) rounds=0 restarts=0 early=''
while ((SECONDS < end)); do
    next=$((SECONDS + 10))
    client python3 "$programs/connections.py" churn $server4 7 300 6 || fail 'churn'
    on client fetch "http://$server4" 20000000 || fail 'download'
    on client upload "http://[$server6]" || fail 'upload'
    kill -HUP "$gateway_a" "$gateway_b"
    rounds=$((rounds + 1))
    if ((rounds % 6 == 0)); then
        restart_standby
        restarts=$((restarts + 1))
    fi
    echo "$(rss) KiB, $(ours_sessions a) flows, $(ours_sessions b) at the standby"
    # By then everything has happened more than once.
    [[ -n $early ]] || ((SECONDS * 2 < begun + end)) || early=$(rss)
    while ((SECONDS < next)); do sleep 0.2; done
done
wait "$trickle4" || fail "a connection lost a byte: $(tail -3 "$run/log")"
wait "$trickle6" || fail "a connection lost a byte: $(tail -3 "$run/log")"
after=$(rss)
grep ' connections, ' "$run/log"
no grep 'lost ping' "$run/log" || fail 'a ping was lost'
ours_is_active a || fail 'gw-a is not the active one any more'
echo "$rounds reloads of both, $restarts restarts of the standby; resident after half of the time:" \
    "${early:-?} KiB; after $seconds s: $after KiB"
[[ -z $early ]] || ((after * 10 < early * 11)) || fail 'memory grew'
