#!/usr/bin/env bash
# Fails if sd-sys/src/bindings.rs differs from what bindgen makes of the pinned headers.
# With --update, writes it instead, and the headers' hash into vendor/engine-source.toml.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"
need_libclang

committed=sd-sys/src/bindings.rs
messages=$(cargo build --quiet --package sdcpp-sys --no-default-features --features bindgen --message-format json)
out_dir=$(printf '%s\n' "$messages" | sed -n 's/.*"reason":"build-script-executed".*sdcpp-sys.*"out_dir":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -f "$out_dir/bindings.rs" ] || { say "bindgen wrote no bindings"; exit 1; }

if [ "${1:-}" = --update ]; then
    cp "$out_dir/bindings.rs" "$committed"
    sed "s/^headers = .*/headers = \"$(cat "$out_dir/headers.sha256")\"/" vendor/engine-source.toml > vendor/engine-source.toml.new
    mv vendor/engine-source.toml.new vendor/engine-source.toml
    say "wrote $committed and the header hash"
elif ! grep -q "$(cat "$out_dir/headers.sha256")" vendor/engine-source.toml; then
    say "the header hash in vendor/engine-source.toml is old; run: scripts/check-bindings.sh --update"
    exit 1
elif ! diff -u "$committed" "$out_dir/bindings.rs"; then
    say "$committed is not what bindgen makes of the headers; run: scripts/check-bindings.sh --update"
    exit 1
else
    say "$committed is up to date"
fi
