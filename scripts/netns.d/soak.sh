# Mixed traffic with churn while the configuration is read again every ten seconds: no byte is lost, and memory stays.
# Sourced by scripts/netns.
# shellcheck source=/dev/null
source "$programs/table.sh"
seconds=${2:-1800}

topology
ours
services
rss() { awk '/VmRSS/ {print $2}' "/proc/$gateway/status"; }
# Whatever a first round of traffic brings in is there from now on.
client python3 "$programs/connections.py" churn $server4 7 300 3
before=$(rss)
start client python3 "$programs/connections.py" run $server4 7 500 "$seconds"
trickle=$started
start client bash -c "while sleep 1; do ping -c 1 -W 2 $server4 >/dev/null || echo 'lost ping'; done"
end=$((SECONDS + seconds))
while ((SECONDS < end)); do
    client python3 "$programs/connections.py" churn $server4 7 300 8 || fail 'churn'
    on client fetch "http://$server4" 20000000 || fail 'download'
    kill -HUP "$gateway"
    echo "$(rss) KiB, $(show stats | tr -d ' \n' | grep -o '"flows":[0-9]*')"
done
wait "$trickle" || fail 'a connection lost a byte'
after=$(rss)
echo "resident before: $before KiB; after: $after KiB"
tail -5 "$run/log"
# 500 long connections, and what of the churn is in its last seconds.
((after < before * 2 + 10240)) || fail 'memory grew'
