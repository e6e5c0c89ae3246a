# The functional table. Sourced by scripts/netns.
# shellcheck source=/dev/null
source "$programs/table.sh"

all() {
    services
    basic
    path_mtu
    bandwidth
    many
}

echo 'flow-table-gateway:'
topology
ours
all
operation
show stats
columns=(flow-table-gateway)
remove
if has nft; then
    echo 'Kernel (nftables):'
    topology
    kernel
    all
    columns+=(kernel)
else
    echo 'SKIPPED: the kernel beside it: there is no nft'
fi

printf '\n| | %s |\n|---|%s\n' "$(sed 's/ / | /g' <<<"${columns[*]}")" "$(printf -- '---|%.0s' "${columns[@]}")"
failed=0
for row in "${rows[@]}"; do
    read -r ours kernel <<<"${result[$row]}"
    printf '| %s | %s |%s\n' "$row" "$ours" "${columns[1]:+ ${kernel:--} |}"
    # Ours must not fail where the kernel works. Without the kernel it must not fail at all.
    [[ $ours == works || ${kernel:-works} != works ]] || failed=1
done
exit "$failed"
