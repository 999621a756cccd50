#!/usr/bin/env bash
# Tries thousands of orders in which the pool's threads may run, with a model that needs no engine:
# no deadlock, no slot lost, no wake-up missed. SHUTTLE_ITERATIONS sets how many of each kind.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

# A target folder of its own, so that the usual build is not thrown away; the engine is shared.
export SDCPP_BUILD_DIR="${SDCPP_BUILD_DIR:-$root/target/sdcpp-native}"
export RUSTFLAGS="${RUSTFLAGS:-} --cfg shuttle"
cargo test --locked -p sdcpp --lib --target-dir "$root/target/shuttle" -- "${@:-pool::tests::interleavings}"
