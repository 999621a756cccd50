#!/usr/bin/env bash
# Measures how long a stop takes on the CPU, stage by stage, and prints the table of docs/progress.md: the
# demo in processor time with one thread, the real size by the clock with two threads. Takes about ten
# minutes on two cores, which must be idle.
#
# scripts/cancel-latency.sh [test…]: only the tests whose names contain one of these, by the clock that
# SDCPP_CANCEL_LATENCY_CLOCK names: processor, the default, or wall.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

mkdir -p target/cancel-latency
log=target/cancel-latency/log
: > "$log"

measure() {
    cargo test --release --locked --test cancel_latency -- --ignored --nocapture --test-threads=1 "$@" | tee -a "$log"
}

if [ $# -gt 0 ]; then
    measure "$@"
else
    SDCPP_CANCEL_LATENCY_CLOCK=processor measure demo
    SDCPP_CANCEL_LATENCY_CLOCK=wall measure real_size
fi

printf '\n| longest, in ms | a picture, s | VAE encode | text encoder | sampling | VAE decode, one piece | the wait of 8 cancels |\n'
printf '|---|---|---|---|---|---|---|\n'
sed -n '/^row of docs\/progress.md:$/{n;p;}' "$log"
