# The gateway's half of the functional table, without what takes long. Sourced by scripts/netns.
# shellcheck source=/dev/null
source "$programs/table.sh"

echo 'flow-table-gateway:'
topology
ours
services
basic
path_mtu
bandwidth
operation
show stats
kill "$gateway"
wait "$gateway" || fail 'the gateway did not end well'
for row in "${rows[@]}"; do [[ ${result[$row]} != *FAILS* ]] || fail "$row"; done
echo 'All rows work.'
