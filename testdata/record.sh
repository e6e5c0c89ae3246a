#!/usr/bin/env bash
# Records loopback.pcap: real programs that talk to each other over the loopback interface of a network namespace of their
# own, so that nothing else is recorded and nothing leaves the machine. Needs root, for that namespace and for capturing.
# Usage: record.sh [FILE]
set -euo pipefail

out=$(realpath -m "${1:-"$(dirname "$0")/loopback.pcap"}")

missing=()
for tool in curl dig dnsmasq ip nc nmap ping python3 tcpdump timeout unshare; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
if ((${#missing[@]})); then
    echo "record.sh: missing: ${missing[*]}" >&2
    exit 1
fi

if ((EUID != 0)); then
    echo "record.sh: must be run as root" >&2
    exit 1
fi

if [[ -z ${IN_NAMESPACE-} ]]; then
    exec env IN_NAMESPACE=1 timeout 120 unshare --net "$0" "$out"
fi

# An MTU as on Ethernet, for fragments.
ip link set lo up mtu 1500

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT

# A file to fetch, made of nothing that belongs to anyone.
python3 -c 'print("flow table " * 4000)' >"$work/page.txt"

python3 -m http.server --bind 127.0.0.1 --directory "$work" 8080 >/dev/null 2>/dev/null &
python3 -m http.server --bind ::1 --directory "$work" 8080 >/dev/null 2>/dev/null &
dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --port=5300 \
    --listen-address=127.0.0.1,::1 --bind-interfaces \
    --address=/gateway.test/192.0.2.1 --address=/gateway.test/2001:db8::1 2>/dev/null &

wait_for() { # host port
    for _ in {1..100}; do
        nc -z "$1" "$2" && return
        sleep 0.05
    done
    echo "record.sh: nothing listens at $1 port $2" >&2
    exit 1
}
for host in 127.0.0.1 ::1; do
    wait_for "$host" 8080
    wait_for "$host" 5300
done

# The first 120 bytes of each frame: all headers, little else.
tcpdump -i lo -s 120 -w "$out" --immediate-mode -U -Z root 2>"$work/tcpdump.log" &
tcpdump=$!
for _ in {1..100}; do
    grep -q listening "$work/tcpdump.log" && break
    sleep 0.05
done
grep listening "$work/tcpdump.log"

# SCTP INIT chunks; and TCP SYNs to many ports, most of them closed.
nmap -n -Pn -sY -p 36412,38412,2905 127.0.0.1 >/dev/null
nmap -n -Pn -sS -p 8000-8099 127.0.0.1 >/dev/null

for host in 127.0.0.1 ::1; do
    # TCP: fetches of a file and a listing, and one that finds nothing.
    url="http://[$host]:8080"
    [[ $host == *:* ]] || url="http://$host:8080"
    curl -sS -o /dev/null "$url/page.txt"
    curl -sS -o /dev/null "$url/nothing"
    curl -sS -o /dev/null -o /dev/null "$url/page.txt" "$url/"

    # UDP and TCP to a name server, and UDP to a port where nobody is, which ICMP tells.
    dig +tries=1 "@$host" -p 5300 gateway.test A gateway.test AAAA unknown.test A >/dev/null
    dig +tries=1 +tcp "@$host" -p 5300 gateway.test A >/dev/null
    echo "anybody there?" | nc -u -w 1 "$host" 9999 || true

    # ICMP echo: within a second, every two seconds, and in fragments.
    ping -q -c 4 -i 0.2 "$host" >/dev/null
    ping -q -c 3 -i 2 "$host" >/dev/null
    ping -q -c 2 -i 0.2 -s 4000 "$host" >/dev/null
done

sleep 0.5
kill -INT "$tcpdump"
wait "$tcpdump"
cat "$work/tcpdump.log"
ls -l "$out"
