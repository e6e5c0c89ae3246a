# A pair of gateways whose active one dies: connections that trickle checked data, a download and an ssh session go on.
# Sourced by scripts/netns.
#
#            ┌── gw-a ──┐
#   client ──┤          ├── router ── server        10.0.0.1 and 192.0.2.254 belong to the active one (keepalived);
#            └── gw-b ──┘                            both reach NATS, in namespace `log`, at 10.9.0.1
#
# CONNECTIONS: how many trickle. CHURN: new connections a second while gw-a dies.
# shellcheck source=/dev/null
source "$programs/table.sh"
for tool in nats-server keepalived; do has $tool || skip "there is no $tool"; done
"$FLOW_TABLE_GATEWAY" promote --help >/dev/null
connections=${CONNECTIONS:-1000}
churn=${CHURN:-200}

bridge() { # bridge NAMESPACE
    in_ns "$1" ip link add bridge type bridge
    in_ns "$1" ip link set bridge up
}
port() { # port BRIDGE NAMESPACE DEVICE ADDRESS
    ip link add "$3" netns "$name-$2" type veth peer name "$2" netns "$name-$1"
    in_ns "$1" ip link set "$2" master bridge up
    in_ns "$2" ip address add "$4" dev "$3"
    in_ns "$2" ip link set "$3" up
}

pair() {
    mkdir -p "$run"
    namespaces client router server gw-a gw-b lan wan log
    for namespace in router gw-a gw-b; do in_ns "$namespace" sysctl -qw net.ipv4.ip_forward=1; done
    for namespace in lan wan log; do bridge $namespace; done
    in_ns log ip address add 10.9.0.1/24 dev bridge
    port lan client inside 10.0.0.2/24
    port wan router west 192.0.2.1/24
    local letter number
    for number in 1 2; do
        letter=$([[ $number == 1 ]] && echo a || echo b)
        port lan gw-$letter inside 10.0.0.1$number/24
        port wan gw-$letter outside 192.0.2.1$number/24
        port log gw-$letter log 10.9.0.1$number/24
        in_ns gw-$letter ip route add default via 192.0.2.1
    done
    link router east 198.51.100.1/24 2001:db8:3::1/64 server net 198.51.100.2/24 2001:db8:3::2/64
    in_ns client ip route add default via 10.0.0.1
    in_ns router ip route add 203.0.113.0/24 via 192.0.2.254
    in_ns server ip route add default via 198.51.100.1
}

member() { # member LETTER NUMBER PRIORITY
    local here=$run/$1
    mkdir -p "$here"
    {
        echo "socket = '$here/socket'"
        cat "$programs/gateway.toml"
        printf '%s\n' '[replicate]' "node = $2" "cluster = 'pair'" "servers = 'nats://10.9.0.1:4222'" \
            "key_file = '$run/secret'" 'sweep_interval = 5' 'log_bytes = 67108864'
    } >"$here/gateway.toml"
    start "gw-$1" "$FLOW_TABLE_GATEWAY" run --config "$here/gateway.toml"
    eval "gateway_$1=$started"
    wait_for 20 in_ns "gw-$1" ip link show ft-out || fail "gw-$1 did not start"
    devices "gw-$1" -4
    cat >"$here/keepalived.conf" <<CONF
global_defs {
    router_id $1
    vrrp_version 3
    script_user root
    enable_script_security
}
vrrp_instance pair {
    interface log
    virtual_router_id 7
    priority $3
    advert_int 0.1
    nopreempt
    state BACKUP
    garp_master_repeat 3
    virtual_ipaddress {
        10.0.0.1/24 dev inside
        192.0.2.254/24 dev outside
    }
    notify_master "$FLOW_TABLE_GATEWAY promote --socket $here/socket"
}
CONF
    chmod 700 "$here"
    start "gw-$1" keepalived --dont-fork --log-console --vrrp --use-file="$here/keepalived.conf" \
        --pid="$here/pid" --vrrp_pid="$here/vrrp"
    eval "keepalived_$1=$started"
}
is_active() { "$FLOW_TABLE_GATEWAY" show stats --socket "$run/$1/socket" | grep -q '"is_active": true'; }
sessions() { "$FLOW_TABLE_GATEWAY" show stats --socket "$run/$1/socket" | sed -n 's/.*"flows": \([0-9]*\),/\1/p'; }

pair
head -c 32 /dev/urandom >"$run/secret"
start log nats-server --jetstream --store_dir "$run/nats" --addr 10.9.0.1
wait_for 10 in_ns log bash -c '</dev/tcp/10.9.0.1/4222' || fail 'NATS did not start'
member a 1 150
wait_for 20 is_active a || fail 'gw-a did not become the active one'
member b 2 100
services
echo "gw-a is active. $connections connections, a download, an ssh session, $churn new connections a second."

in_ns client python3 "$programs/connections.py" run $server4 7 "$connections" 25 >"$run/trickle" 2>&1 &
trickle=$!
in_ns client curl --silent --show-error --limit-rate 2M --max-time 60 "http://$server4/50000000" >"$run/download" &
download=$!
if [[ -f $run/key ]]; then
    in_ns client ssh -i "$run/key" -o StrictHostKeyChecking=no -o BatchMode=yes -o UserKnownHostsFile=/dev/null \
        "root@$server4" 'for i in $(seq 20); do echo $i; sleep 1; done' >"$run/ssh" 2>/dev/null &
    ssh=$!
fi
sleep 6
in_ns client python3 "$programs/connections.py" churn $server4 7 "$churn" 8 >"$run/churn" 2>&1 &
churning=$!
sleep 4
echo "gw-a has $(sessions a) flows, gw-b has $(sessions b)"
# The shell shall not report what is killed on purpose.
disown "$gateway_a" "$keepalived_a"
kill -9 "$gateway_a" "$keepalived_a"
for device in inside outside log; do in_ns gw-a ip link set $device down; done
killed=$(date +%s%N)
wait_for 20 is_active b || fail 'gw-b did not take over'
echo "gw-a was killed; gw-b is active after $((($(date +%s%N) - killed) / 1000000)) ms with $(sessions b) flows"
grep -o 'promoted.*' "$run/log" | tail -1

failed=0
wait $trickle || failed=1
echo "trickle: $(tail -2 "$run/trickle")"
wait $download || failed=1
[[ $(wc -c <"$run/download") == 50000000 && -z $(tr -d x <"$run/download") ]] || failed=1
echo "download: $(wc -c <"$run/download") bytes"
if [[ -n ${ssh:-} ]]; then
    wait "$ssh" || failed=1
    echo "ssh: last line $(tail -1 "$run/ssh") of 20"
    [[ $(tail -1 "$run/ssh") == 20 ]] || failed=1
fi
# Those that began within the lag of the log may fail: the number is told, and is no failure.
wait $churning || true
echo "churn: $(tail -1 "$run/churn")"
[[ $failed == 0 ]] || fail 'a connection did not survive'
echo 'All long connections survived.'
