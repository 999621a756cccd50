#!/usr/bin/env bash
# Measures speed, and prints the tables of docs/performance.md: all of them, or those that are named.
#
#   scripts/bench.sh [overhead] [start] [pool] [png] [settings] [types] [builds] [upstream] [nodes] [arithmetic]
#
# `start`, `upstream` and `nodes` build the engine once more, as its own build does, and `builds` once more with
# each option (OpenBLAS where it is installed); SDCPP_BENCH_LONG=1 adds 512² pictures to `types` and `upstream`.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

exec cargo bench --locked --bench speed -- "$@"
