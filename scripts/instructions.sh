#!/usr/bin/env bash
# Counts the instructions that the crate itself needs for a picture, by Callgrind and with the mock engine,
# and compares them with what is written down in sd/benches/instructions: a number that does not depend on
# how busy the machine is. Without the engine, for Valgrind knows no AVX-512.
#
#   scripts/instructions.sh            # fails if there are more than a tenth more
#   scripts/instructions.sh --update   # writes them down
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"
have valgrind || install_by_system valgrind valgrind valgrind valgrind || { say "valgrind is missing"; exit 1; }

known=sd/benches/instructions
messages=$(cargo bench --quiet --no-run --locked -p sdcpp --bench mock --no-default-features \
    --features dynamic,mock --message-format json)
binary=$(printf '%s\n' "$messages" | sed -n 's/.*"name":"mock".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -x "$binary" ] || { say "there is no program to count"; exit 1; }

# Instructions of a process that draws so many pictures.
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" "$1" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

# Without what the start of the process needs.
few=$(count 20)
many=$(count 220)
if [ -z "$few" ] || [ -z "$many" ]; then say "Callgrind told no number"; exit 1; fi
picture=$(((many - few) / 200))
if [ "${1:-}" = --update ]; then
    echo "$picture" > "$known"
fi
before=$(cat "$known")
echo "instructions of the crate for a picture of 64x64 in 4 steps: $picture; written down: $before"
if [ "$picture" -gt $((before + before / 10)) ]; then
    say "more than a tenth more: find out why, or write them down with scripts/instructions.sh --update"
    exit 1
fi
