#!/usr/bin/env bash
# Measures how long a stop takes on the CPU, stage by stage. Takes about a quarter of an hour on two idle cores.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

cargo test --release --locked --test cancel_latency -- --ignored --nocapture --test-threads=1
