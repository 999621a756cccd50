#!/usr/bin/env bash
# Everything that CI checks, on one native build: formatting, lints, committed bindings, tests,
# packaged crates, documentation.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

step() { printf '\n== %s (after %s s)\n' "$*" "$SECONDS"; }

step "format"
cargo fmt --all --check
(cd tests/coexist && cargo fmt --check)

step "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings
# A workspace of its own, with whisper.cpp.
(cd tests/coexist && cargo clippy --all-targets --locked -- -D warnings)

step "tests"
cargo test --workspace --locked

step "orders of threads"
SHUTTLE_ITERATIONS=500 scripts/shuttle.sh

step "committed bindings"
scripts/check-bindings.sh

step "packaged crates"
# Verifying builds each crate from its .crate file; the native build is shared. Cargo takes a package
# of the same version for the same, so what is left of an earlier one goes first.
rm -rf "${CARGO_HOME:-$HOME/.cargo}"/registry/src/-*/sdcpp-* target/package \
    target/debug/.fingerprint/sdcpp-*
cargo package --locked --allow-dirty -p sdcpp-sys -p sdcpp

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

step "all passed"
