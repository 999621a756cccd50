#!/usr/bin/env bash
# Lets libFuzzer look for inputs that break a promise of the parsers: each target of tests/fuzz for
# FUZZ_SECONDS (60), or those named as arguments. Works with a stable compiler: coverage comes from
# LLVM's own pass. New inputs go to target/fuzz/corpus; FUZZ_KEEP=1 merges the few that reach new
# code into tests/fuzz/corpus.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

targets=("$@")
[ $# -gt 0 ] || targets=(model_header prompt metadata request_json worker_message)
seconds=${FUZZ_SECONDS:-60}

export SDCPP_BUILD_DIR="${SDCPP_BUILD_DIR:-$root/target/sdcpp-native}"
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing"
# With --target the flags are not for build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="$coverage" cargo build --locked -p sdcpp-fuzz --features libfuzzer --release \
    --config 'profile.release.debug-assertions=true' --config 'profile.release.overflow-checks=true' \
    --target "$host" --target-dir "$root/target/fuzz"
binary="$root/target/fuzz/$host/release/sdcpp-fuzz"

failed=0
for name in "${targets[@]}"; do
    found="$root/target/fuzz/corpus/$name"
    kept="$root/tests/fuzz/corpus/$name"
    mkdir -p "$found" "$kept" "$root/target/fuzz/artifacts"
    say "fuzzing $name for $seconds s"
    SDCPP_FUZZ_TARGET=$name "$binary" -max_total_time="$seconds" -max_len="${FUZZ_MAX_LEN:-16384}" \
        -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 \
        -artifact_prefix="$root/target/fuzz/artifacts/$name-" "$found" "$kept" \
        > "$root/target/fuzz/$name.log" 2>&1 || { failed=1; say "$name: FAILED"; tail -n 30 "$root/target/fuzz/$name.log"; }
    sed -n 's/^stat::number_of_executed_units: */  cases: /p; s/^.*DONE *cov: \([0-9]*\).*corp: \([^ ]*\).*/  branches: \1, inputs: \2/p' \
        "$root/target/fuzz/$name.log"
    if [ "${FUZZ_KEEP:-0}" = 1 ]; then
        SDCPP_FUZZ_TARGET=$name "$binary" -set_cover_merge=1 -max_len=4096 "$kept" "$found" > "$root/target/fuzz/$name-merge.log" 2>&1
    fi
done
exit "$failed"
