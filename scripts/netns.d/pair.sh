# A pair of machines in namespaces, and keepalived, which moves the addresses of the active one. Sourced.
#
#            ┌── gw-a ──┐
#   client ──┤          ├── router ── server        10.0.0.1, 192.0.2.254 and their like of IPv6 belong to the active one;
#            └── gw-b ──┘                            both reach namespace `log` at 10.9.0.1

bridge() { # bridge NAMESPACE
    in_ns "$1" ip link add bridge type bridge
    in_ns "$1" ip link set bridge up
}
port() { # port BRIDGE NAMESPACE DEVICE ADDRESS...
    local lan=$1 namespace=$2 device=$3 address
    shift 3
    ip link add "$device" netns "$name-$namespace" type veth peer name "$namespace" netns "$name-$lan"
    in_ns "$lan" ip link set "$namespace" master bridge up
    for address in "$@"; do in_ns "$namespace" ip address add "$address" dev "$device"; done
    in_ns "$namespace" ip link set "$device" up
}

pair() {
    mkdir -p "$run"
    namespaces client router server gw-a gw-b lan wan log
    local namespace letter number
    for namespace in router gw-a gw-b; do
        in_ns "$namespace" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    done
    for namespace in lan wan log; do bridge $namespace; done
    in_ns log ip address add 10.9.0.1/24 dev bridge
    port lan client inside 10.0.0.2/24 fd01:203:405:1::2/64
    port wan router west 192.0.2.1/24 2001:db8:2::1/64
    for number in 1 2; do
        letter=$([[ $number == 1 ]] && echo a || echo b)
        port lan gw-$letter inside 10.0.0.1$number/24 fd01:203:405:1::1$number/64
        port wan gw-$letter outside 192.0.2.1$number/24 2001:db8:2::1$number/64
        port log gw-$letter log 10.9.0.1$number/24
        in_ns gw-$letter ip route add default via 192.0.2.1
        in_ns gw-$letter ip route add default via 2001:db8:2::1
    done
    link router east 198.51.100.1/24 2001:db8:3::1/64 server net 198.51.100.2/24 2001:db8:3::2/64
    in_ns client ip route add default via 10.0.0.1
    in_ns client ip route add default via fd01:203:405:1::1
    in_ns router ip route add 203.0.113.0/24 via 192.0.2.254
    in_ns router ip route add 2001:db8:1::/48 via 2001:db8:2::254
    in_ns server ip route add default via 198.51.100.1
    in_ns server ip route add default via 2001:db8:3::1
}

addresses() { # addresses LETTER PRIORITY COMMAND: keepalived, which runs COMMAND when it becomes the active one
    local here=$run/$1
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
    priority $2
    advert_int 0.1
    nopreempt
    state BACKUP
    garp_master_repeat 3
    virtual_ipaddress {
        10.0.0.1/24 dev inside
        192.0.2.254/24 dev outside
    }
    virtual_ipaddress_excluded {
        fd01:203:405:1::1/64 dev inside
        2001:db8:2::254/64 dev outside
    }
    notify_master "$3"
}
CONF
    start "gw-$1" keepalived --dont-fork --log-console --vrrp --use-file="$here/keepalived.conf" \
        --pid="$here/pid" --vrrp_pid="$here/vrrp"
    eval "keepalived_$1=$started"
}

# ---- Gateways of ours ------------------------------------------------------------------------------------------------

member() { # member LETTER NUMBER [LINES OF CONFIGURATION]: a gateway that stands by
    local letter=$1 number=$2 here=$run/$1
    shift 2
    mkdir -p "$here"
    chmod 700 "$here"
    {
        echo "socket = '$here/socket'"
        # Without the feature nobody listens there.
        echo "metrics = '127.0.0.1:9100'"
        cat "$programs/gateway.toml"
        printf '%s\n' '[limits]' 'flows_per_source = 1000000' "$@" '[replicate]' "node = $number" "cluster = 'pair'" \
            "servers = 'nats://10.9.0.1:4222'" "key_file = '$run/secret'" 'sweep_interval = 5' 'log_bytes = 67108864'
    } >"$here/gateway.toml"
    start "gw-$letter" "$FLOW_TABLE_GATEWAY" run --config "$here/gateway.toml"
    eval "gateway_$letter=$started"
    wait_for 20 in_ns "gw-$letter" ip link show ft-out || fail "gw-$letter did not start"
    devices "gw-$letter" -4 -6
    in_ns "gw-$letter" ip route add 2001:db8:1::/48 dev ft-out
}
log() {
    head -c 32 /dev/urandom >"$run/secret"
    start log nats-server --jetstream --store_dir "$run/nats" --addr 10.9.0.1
    wait_for 10 in_ns log bash -c '</dev/tcp/10.9.0.1/4222' || fail 'NATS did not start'
}
ours_pair() {
    local letter number
    log
    for number in 1 2; do
        letter=$([[ $number == 1 ]] && echo a || echo b)
        member $letter $number
        addresses $letter $((200 - 50 * number)) "$FLOW_TABLE_GATEWAY promote --socket $run/$letter/socket"
        [[ $letter == b ]] || wait_for 20 ours_is_active a || fail 'gw-a did not become the active one'
    done
}
ours_is_active() { "$FLOW_TABLE_GATEWAY" show stats --socket "$run/$1/socket" | grep -q '"is_active": true'; }
ours_sessions() { "$FLOW_TABLE_GATEWAY" show stats --socket "$run/$1/socket" | sed -n 's/.*"flows": \([0-9]*\),/\1/p'; }
ours_processes() { eval "echo \$gateway_$1 \$keepalived_$1"; }

# ---- The kernel's connection tracking, and conntrackd ----------------------------------------------------------------

kernel_pair() {
    local letter number here
    for number in 1 2; do
        letter=$([[ $number == 1 ]] && echo a || echo b)
        here=$run/$letter
        mkdir -p "$here"
        chmod 700 "$here"
        in_ns gw-$letter nft -f "$programs/pair.nft"
        in_ns gw-$letter sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1
        cat >"$here/conntrackd.conf" <<CONF
Sync {
    Mode FTFW { }
    UDP {
        IPv4_address 10.9.0.1$number
        IPv4_Destination_Address 10.9.0.1$((3 - number))
        Port 3780
        Interface log
        SndSocketBuffer 8388608
        RcvSocketBuffer 8388608
        Checksum on
    }
}
General {
    HashSize 32768
    HashLimit 131072
    LockFile $here/lock
    UNIX {
        Path $here/conntrackd
    }
    NetlinkBufferSize 2097152
    NetlinkBufferSizeMaxGrowth 16777216
}
CONF
        # As in the documentation: the standby's cache goes into the kernel, and then both tell each other everything.
        cat >"$here/promote" <<SCRIPT
#!/bin/sh
conntrackd -C $here/conntrackd.conf -c && conntrackd -C $here/conntrackd.conf -f && conntrackd -C $here/conntrackd.conf -R
conntrackd -C $here/conntrackd.conf -B
touch $here/active
SCRIPT
        chmod 700 "$here/promote"
        start gw-$letter conntrackd -C "$here/conntrackd.conf"
        eval "conntrackd_$letter=$started"
        wait_for 10 test -S "$here/conntrackd" || fail "conntrackd did not start: $(tail -3 "$run/log")"
        addresses $letter $((200 - 50 * number)) "$here/promote"
        [[ $letter == b ]] || wait_for 20 kernel_is_active a || fail 'gw-a did not become the active one'
    done
}
kernel_is_active() { [[ -e $run/$1/active ]]; }
kernel_sessions() { # those in the kernel, or, at the standby, those that conntrackd knows
    local option=-i
    kernel_is_active "$1" || option=-e
    in_ns "gw-$1" conntrackd -C "$run/$1/conntrackd.conf" $option | wc -l
}
kernel_processes() { eval "echo \$conntrackd_$1 \$keepalived_$1"; }
