#!/usr/bin/env bash
# Runs integration tests on the small models under Valgrind's memcheck: invalid reads and writes,
# uninitialised values, definite leaks. Takes about half an hour; not part of CI.
#
# The engine is built without the machine's own instructions, for Valgrind knows no AVX-512.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"
need_valgrind

export SDCPP_NATIVE=0 SDCPP_TEST_SLOW=1
# A target folder of its own, so that the usual build is not thrown away; sources are shared.
target="$root/target/valgrind"
export SDCPP_BUILD_DIR="$root/target/sdcpp-native"

# test binary -> tests in it: one for each way through the code, for a context takes a minute here.
declare -A tests=(
    [recovery]="opening_ a_panicking_ dropped_ a_model_file_cut_"
    [shim]="an_assert_outside_ null_and_"
    [hostile]="truncated_ headers_ tensor_names_ a_decoder_for_ paths_that_lead_"
    [draw]="sizes_are_ a_callback_is_"
)

failed=0
for name in recovery shim hostile draw; do
    messages=$(cargo test --quiet --no-run --locked --test "$name" --target-dir "$target" --message-format json)
    binary=$(printf '%s\n' "$messages" | sed -n "s/.*\"name\":\"$name\".*\"executable\":\"\([^\"]*\)\".*/\1/p" | tail -n 1)
    [ -x "$binary" ] || { say "no test binary for $name"; exit 1; }
    # shellcheck disable=SC2086
    if ! RUST_BACKTRACE=0 valgrind --quiet --error-exitcode=99 --leak-check=full \
        --errors-for-leak-kinds=definite --show-leak-kinds=definite --num-callers=30 \
        --suppressions=scripts/valgrind.supp \
        "$binary" --test-threads=1 ${tests[$name]}; then
        say "valgrind: $name failed"
        failed=1
    fi
done
[ "$failed" = 0 ] && say "valgrind: clean"
exit "$failed"
