#!/usr/bin/env bash
# Measures how long a stop takes on the CPU, stage by stage. Takes half an hour on two cores.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

cargo test --release --locked --test cancel_latency -- --ignored --nocapture
