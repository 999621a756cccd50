#!/usr/bin/env bash
# Fails if include/sdcpp.h differs from what cbindgen makes of src/. With --update, writes it instead.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

committed=include/sdcpp.h
messages=$(cargo check --quiet --package sdcpp-capi --message-format json)
out_dir=$(printf '%s\n' "$messages" | sed -n 's/.*"reason":"build-script-executed".*sdcpp-capi.*"out_dir":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -f "$out_dir/sdcpp.h" ] || { say "cbindgen wrote no header"; exit 1; }

if [ "${1:-}" = --update ]; then
    cp "$out_dir/sdcpp.h" "$committed"
    say "wrote $committed"
elif ! diff -u "$committed" "$out_dir/sdcpp.h"; then
    say "$committed is not what cbindgen makes of src/; run: scripts/check-header.sh --update"
    exit 1
else
    say "$committed is up to date"
fi
