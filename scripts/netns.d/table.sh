# The rows of the functional table. Sourced; uses what scripts/netns defines.

server4=198.51.100.2
server6=2001:db8:3::2
rows=()
ulimit -n "$(ulimit -Hn)"
declare -A result

# row NAME COMMAND...: the command's success is the result.
row() {
    local row=$1 outcome
    shift
    if timeout 90 bash -c '"$@"' - "$@" >"$run/row" 2>&1; then outcome=works; else outcome=FAILS; fi
    record "$row" "$outcome"
    [[ $outcome == works ]] || sed 's/^/    /' "$run/row" | tail -5
}
record() { # record ROW OUTCOME
    [[ ${result[$1]+set} ]] || { rows+=("$1") && result[$1]=''; }
    result[$1]+="$2 "
    printf '  %-44s %s\n' "$1" "$2"
}
no() { ! "$@"; }
client() { in_ns client "$@"; }
server() { in_ns server "$@"; }
export -f client server in_ns no has
export name programs run

fetch() { # fetch URL BYTES
    [[ $(curl --silent --show-error --fail --max-time 20 "$1/$2" | wc -c) == "$2" ]]
}
upload() { # upload URL: what arrives has the digest of what was sent
    [[ $(curl --silent --show-error --fail --max-time 30 --data-binary "@$run/upload" "$1/") == "$(sha256sum <"$run/upload" | cut -d' ' -f1)" ]]
}
export -f fetch upload

services() {
    head -c 3000000 /dev/urandom >"$run/upload"
    start server python3 "$programs/web.py" 80
    start client python3 "$programs/web.py" 8080
    start server python3 "$programs/connections.py" serve 7
    has dnsmasq && start server dnsmasq --keep-in-foreground --no-resolv --no-hosts --user=root --pid-file= \
        --address=/host.example/192.0.2.99 --bind-interfaces --listen-address="$server4,$server6"
    has iperf3 && start server iperf3 --server
    if [[ -x /usr/sbin/sshd ]] && has ssh-keygen; then
        ssh-keygen -q -t ed25519 -N '' -f "$run/key"
        ssh-keygen -q -t ed25519 -N '' -f "$run/host"
        mkdir -p /run/sshd
        start server /usr/sbin/sshd -D -e -f /dev/null -h "$run/host" -o AuthorizedKeysFile="$run/key.pub" \
            -o StrictModes=no -o PidFile=none -o PermitRootLogin=yes
    fi
    wait_for 10 server curl --silent "http://127.0.0.1/1" || fail 'no HTTP server'
    wait_for 10 client curl --silent "http://127.0.0.1:8080/1" || fail 'no HTTP server'
    sleep 0.5
}

on() { # on NAMESPACE FUNCTION...: runs a function of ours there
    in_ns "$1" bash -c '"$@"' - "${@:2}"
}
export -f on

basic() {
    local family address
    for family in 4 6; do
        address=server$family && address=${!address}
        local url=$address
        [[ $family == 4 ]] || url="[$address]"
        row "ping, IPv$family" client ping -c 2 -i 0.2 -W 2 "$address"
        row "ping of 4,000 bytes in fragments, IPv$family" client ping -c 2 -i 0.2 -W 2 -s 4000 "$address"
        row "download with curl, IPv$family" on client fetch "http://$url" 5000000
        row "upload with curl, IPv$family" on client upload "http://$url"
        row "refused UDP (ICMP error), IPv$family" client python3 "$programs/connections.py" refused "$address" 9
        if has dig && has dnsmasq; then
            row "DNS with dig, IPv$family" client dig "@$address" host.example +short +tries=1 +time=3
            row "DNS over TCP, IPv$family" client dig "@$address" host.example +short +tcp +tries=1 +time=3
        else
            echo 'SKIPPED: DNS: there is no dig or no dnsmasq'
        fi
        if has traceroute; then
            row "traceroute with UDP, IPv$family" on client reaches "-$family" "$address"
            row "traceroute with ICMP, IPv$family" on client reaches "-$family" -I "$address"
        else
            echo 'SKIPPED: traceroute: there is none'
        fi
        if [[ -f $run/key ]]; then
            row "ssh, IPv$family" client ssh -i "$run/key" -o StrictHostKeyChecking=no -o BatchMode=yes \
                -o UserKnownHostsFile=/dev/null "root@$address" true
        else
            echo 'SKIPPED: ssh: there is no sshd'
        fi
    done
    row 'forwarded port from the outside, IPv4' on server fetch "http://$out4:8080" 100000
    row 'forwarded port from the outside, IPv6' on server fetch "http://[$out6]:8080" 100000
    row 'hairpin: the forwarded port from the inside' on client fetch "http://$out4:8080" 100000
    row 'a port that is not forwarded stays shut' no on server fetch "http://$out4:8081" 1
    row 'an inside address is not reached from outside' no server ping -c 1 -W 1 10.0.0.2
    row 'and an inside IPv6 address is not' no server ping -c 1 -W 1 fd01:203:405:1::2
}
reaches() { # reaches OPTIONS ADDRESS: the last hop is the address
    traceroute -n -w 1 -q 1 -m 8 "$@" | tee /dev/stderr | tail -1 | grep -q " ${*: -1} "
}
export -f reaches

path_mtu() {
    in_ns router ip link set east mtu 1400
    # The server does not know, so that its MSS does not help.
    row 'path MTU: upload over a narrow link, IPv4' on client upload "http://$server4"
    row 'path MTU: upload over a narrow link, IPv6' on client upload "http://[$server6]"
    row 'path MTU: the sender learns 1400, IPv4' on client learns "$server4"
    row 'path MTU: the sender learns 1400, IPv6' on client learns "$server6"
    in_ns router ip link set east mtu 1500
}
learns() { ip route get "$1" | tee /dev/stderr | grep -q 'mtu 1400'; }
export -f learns

# What only a gateway of ours has.
operation() {
    row 'show flows, with a filter' shows flows --filter "protocol=tcp host=$server4"
    if "$FLOW_TABLE_GATEWAY" show stats --socket "$run/socket" | grep -q forwarded &&
        in_ns gw curl --silent http://127.0.0.1:9100/metrics >"$run/metrics"; then
        row 'Prometheus endpoint' grep -E '^flow_table_gateway_packets_forwarded_total [1-9]' "$run/metrics"
    else
        echo 'SKIPPED: Prometheus endpoint: the program was built without the feature metrics'
    fi
    row 'reload while connections go on' on client reloaded "$server4"
    row 'flush' on gw flushed
    if has systemd-analyze; then
        sed "s|/usr/bin/flow-table-gateway|$FLOW_TABLE_GATEWAY|" "$PWD/flow-table-gateway/dist/flow-table-gateway.service" \
            >"$run/flow-table-gateway.service"
        sed -i '/^ExecStartPost/d' "$run/flow-table-gateway.service"
        row 'systemd unit is valid' systemd-analyze verify "$run/flow-table-gateway.service"
    else
        echo 'SKIPPED: systemd unit: there is no systemd-analyze'
    fi
}
shows() { "$FLOW_TABLE_GATEWAY" show "$@" --socket "$run/socket" | tee /dev/stderr | grep -q tcp; }
reloaded() { # a connection that is open during a reload carries on
    python3 - "$1" "$FLOW_TABLE_GATEWAY" "$run/socket" <<'PY'
import socket, subprocess, sys
sock = socket.create_connection((sys.argv[1], 7), 5)
sock.sendall(b"1"); assert sock.recv(1) == b"1"
subprocess.run([sys.argv[2], "reload", "--socket", sys.argv[3]], check=True)
sock.sendall(b"2"); assert sock.recv(1) == b"2"
PY
}
flushed() {
    "$FLOW_TABLE_GATEWAY" flush --socket "$run/socket"
    "$FLOW_TABLE_GATEWAY" show stats --socket "$run/socket" | tee /dev/stderr | grep -Eq '"cancelled": [1-9]'
}
export -f shows reloaded flushed
export FLOW_TABLE_GATEWAY

many() {
    if (($(ulimit -n) >= 10100)); then
        row '10,000 parallel TCP connections' client python3 "$programs/connections.py" run "$server4" 7 10000 15
    else
        echo 'SKIPPED: 10,000 parallel connections: the limit of open files is lower'
    fi
    row '1,000 new connections a second' client python3 "$programs/connections.py" churn "$server4" 7 1000 5
    row 'a connection that is silent for 70 s' on client silent "$server4" 70
}
silent() { python3 - "$@" <<'PY'
import socket, sys, time
sock = socket.create_connection((sys.argv[1], 7), 5)
sock.sendall(b"1"); assert sock.recv(1) == b"1"
time.sleep(float(sys.argv[2]))
sock.sendall(b"2"); assert sock.recv(1) == b"2"
PY
}
export -f silent

bandwidth() {
    if ! has iperf3; then
        echo 'SKIPPED: iperf3: there is none'
        return
    fi
    row 'iperf3, TCP, up' client iperf3 -c "$server4" -t 2
    row 'iperf3, TCP, down' client iperf3 -c "$server4" -t 2 -R
    row 'iperf3, TCP, down, IPv6' client iperf3 -c "$server6" -t 2 -R
    row 'iperf3, UDP' client iperf3 -c "$server4" -u -b 20M -t 2
}
