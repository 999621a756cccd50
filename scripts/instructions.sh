#!/usr/bin/env bash
# Counts the instructions that the crate itself needs for a picture, by Callgrind and with the mock engine,
# and compares them with what is written down in benches/instructions/count: a number that does not depend on
# how busy the machine is. Without the engine, for Valgrind knows no AVX-512. Part of CI.
#
#   scripts/instructions.sh            # fails if there are more than a tenth more
#   scripts/instructions.sh --update   # writes them down, with what they depend on
#
# They depend on the processor's architecture, and a little on the releases of Rust and of the C library, which
# are written down with them. Where more are needed and only these have changed, write them down again.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"
if [ "$(uname -s)" = Darwin ]; then
    say "instructions are not counted: Valgrind does not exist for macOS"
    exit 0
fi
need_valgrind

known=benches/instructions/count
cargo build --quiet --profile instructions --locked -p sdcpp-instructions
program="${CARGO_TARGET_DIR:-target}/instructions/sdcpp-instructions"

# Instructions of a process that draws so many pictures, without the mock engine's work on pixels: it would be
# twenty times the crate's own. Of the C library those functions are used that are for every processor, so that
# the number is the same on each.
count() {
    # In this order: the first option turns off what the second turns on.
    GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2 \
        valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        --toggle-collect=sdcpp::mock::picture --collect-atstart=yes "$program" "$1" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

# Without what the start of the process needs.
failed() { say "$program failed, or Callgrind"; exit 1; }
few=$(count 20) || failed
many=$(count 220) || failed
if [ -z "$few" ] || [ -z "$many" ]; then say "Callgrind told no number"; exit 1; fi
picture=$(((many - few) / 200))
# A picture that needs next to nothing has not been drawn.
if [ "$picture" -lt 1000 ]; then say "$picture instructions for a picture: it was not drawn"; exit 1; fi
here="$(uname -m), $(rustc --version | cut -d ' ' -f 1-2), $(getconf GNU_LIBC_VERSION)"
if [ "${1:-}" = --update ]; then
    echo "$picture $here" >"$known"
fi
read -r before there <"$known"
echo "instructions of the crate for a picture of 64x64 in 4 steps: $picture; written down: $before ($there)"
if [ "${there%%,*}" != "${here%%,*}" ]; then
    say "not compared: this is another architecture, ${here%%,*}"
elif [ "$picture" -gt $((before + before / 10)) ]; then
    say "more than a tenth more, by $here: find out why, or write them down with $0 --update"
    exit 1
fi
