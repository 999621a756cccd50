#!/usr/bin/env bash
# Tries thousands of orders in which threads may run, without an engine: those of a pool and its jobs, of
# cancelling, and of a worker's outbox. No deadlock, no slot lost, no wake-up missed, no line out of order.
# SHUTTLE_ITERATIONS sets how many of each of the two kinds, 5000 unless it is set. Prints a row of the
# table of docs/reliability.md.
#
# scripts/shuttle.sh [test…]: only the tests whose names contain one of these.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

# A target folder of its own, so that the usual build is not thrown away; the engine is shared.
export SDCPP_BUILD_DIR="${SDCPP_BUILD_DIR:-$root/target/sdcpp-native}"
export RUSTFLAGS="${RUSTFLAGS:-} --cfg shuttle"
mkdir -p "$root/target/shuttle"
log="$root/target/shuttle/log"
cargo test --locked -p sdcpp --lib --features isolated --target-dir "$root/target/shuttle" \
    -- "${@:-interleavings}" | tee "$log"
# The tests say how many orders they were executed in; all have passed.
awk 'match($0, /executed in [0-9]+ orders/) {
        split(substr($0, RSTART, RLENGTH), words, " ")
        orders += words[3]; tests++
    }
    END {
        if (!tests) exit 1
        printf "| orders of threads in pools, in cancelling and in a worker\047s outbox | " \
            "%d executions of %d tests | none failed | – | – | – |\n", orders, tests
    }' "$log"
