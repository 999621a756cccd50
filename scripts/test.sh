#!/usr/bin/env bash
# Everything that CI checks, on one native build: formatting, lints, committed bindings, tests,
# the number of instructions, packaged crates, documentation.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

step() { printf '\n== %s (after %s s)\n' "$*" "$SECONDS"; }

step "format"
cargo fmt --all --check
(cd tests/coexist && cargo fmt --check)
(cd benches/candle && cargo fmt --check)

step "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings
# A workspace of its own, with whisper.cpp.
(cd tests/coexist && cargo clippy --all-targets --locked -- -D warnings)
need_shellcheck
shellcheck --external-sources scripts/*.sh examples/server/deploy/*.sh

step "tests"
cargo test --workspace --locked

step "orders of threads"
SHUTTLE_ITERATIONS=500 scripts/shuttle.sh

step "committed bindings"
scripts/check-bindings.sh

step "instructions"
scripts/instructions.sh

step "packaged crates"
# Verifying builds each crate from its .crate file; the native build is shared. Cargo takes a package
# of the same version for the same, so what is left of an earlier one goes first.
target="${CARGO_TARGET_DIR:-target}"
rm -rf "${CARGO_HOME:-$HOME/.cargo}"/registry/src/-*/sdcpp-* "$target/package" \
    "$target"/debug/.fingerprint/sdcpp-*
cargo package --locked --allow-dirty -p sdcpp-sys -p sdcpp
for crate in "$target"/package/*.crate; do
    bytes=$(wc -c <"$crate")
    say "${crate##*/}: $bytes bytes"
    # What the registry takes.
    [ "$bytes" -le $((10 * 1024 * 1024)) ] || { say "${crate##*/} is too large to be published"; exit 1; }
done

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

step "all passed"
