#!/usr/bin/env bash
# Prints the table of docs/reliability.md: what an application lived through, at full length. Takes
# half an hour on two cores; not part of CI, which runs the same tests with fewer cases.
#
# scripts/reliability.sh [test…]: only the tests whose names contain one of these, and not
# scripts/shuttle.sh.
# SDCPP_RELIABILITY=200 scripts/reliability.sh: 200 cases of each, in place of all.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

export SDCPP_RELIABILITY="${SDCPP_RELIABILITY:-full}"
mkdir -p target/reliability
log=target/reliability/log

# One at a time: they measure time and memory.
status=0
cargo test --quiet --locked --test reliability -- --nocapture --test-threads=1 "$@" > "$log" 2>&1 || status=$?
if [ $# = 0 ]; then
    orders=$SDCPP_RELIABILITY
    [ "$orders" != full ] || orders=20000
    SHUTTLE_ITERATIONS="$orders" scripts/shuttle.sh >> "$log" 2>&1 || status=$?
fi
printf '| what | cases | what came of it | pictures changed | leaks | deaths |\n|---|---|---|---|---|---|\n'
# The rows, and the sums of what each counted. A row may come after the name of its test, on the same line.
sed -n 's/^.*\(| .* | .* | .* | .* | .* | .* |\)$/\1/p' "$log" | awk -F ' *[|] *' '
    { print; split($5, pictures, " of "); changed += pictures[1]; compared += pictures[2]; leaks += $6; deaths += $7 }
    END { printf "\nDeaths %d. Pictures changed %d, of %d compared. Leaks %d.\n", deaths, changed, compared, leaks }'
[ "$status" = 0 ] || { say "failed; see $log"; tail -n 40 "$log" >&2; }
exit "$status"
