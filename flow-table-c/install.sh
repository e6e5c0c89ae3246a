#!/usr/bin/env bash
# Installs the C interface below a prefix, by default /usr/local: headers, libraries, and a file for pkg-config.
#
#   cargo build --release --package flow-table-c
#   flow-table-c/install.sh [PREFIX]
#
# FLOW_TABLE_PROFILE: the folder in cargo's target folder with the libraries, by default release.
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=$(realpath -m "${1:-/usr/local}")
built=${CARGO_TARGET_DIR:-target}/${FLOW_TABLE_PROFILE:-release}
[[ -f $built/libflow_table_c.a ]] || { echo "error: there is no $built/libflow_table_c.a: build it first" >&2; exit 1; }
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)

install -d "$prefix/include" "$prefix/lib/pkgconfig"
install -m 644 flow-table-c/include/flow_table.h flow-table-c/include/flow_table.hpp "$prefix/include"
install -m 644 "$built/libflow_table_c.a" "$prefix/lib"
for shared in "$built"/libflow_table_c.{so,dylib}; do
    [[ ! -f $shared ]] || install -m 755 "$shared" "$prefix/lib"
done
sed "s|@PREFIX@|$prefix|; s|@VERSION@|$version|; s|@PRIVATE@|-lpthread -ldl -lm|" flow-table-c/flow-table.pc.in \
    >"$prefix/lib/pkgconfig/flow-table.pc"
