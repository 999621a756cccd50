#!/usr/bin/env bash
# Measures how long builds take and how large the programs are, and prints the tables of docs/performance.md:
# all of them, or those that are named. Linux.
#
#   scripts/build-times.sh [--before COMMIT] [cold] [incremental] [sizes]
#
# cold: the engine and its package, from nothing but what cargo fetches. incremental: the command line after a
# change of the crate `sdcpp`. These two measure the last commit, and with --before an earlier one too. sizes: of
# the command line and the C library as they are in the working tree, with what makes them smaller. All of it
# takes most of an hour, on a machine that does nothing else. SDCPP_JOBS sets how many processes compile at
# once, 2 unless it is set.
set -euo pipefail
shopt -s inherit_errexit
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

before=''
parts=()
while [ $# -gt 0 ]; do
    case "$1" in
        --before)
            [ -n "${2:-}" ] || { say "--before needs a commit"; exit 2; }
            before=$(git rev-parse --verify --quiet "$2^{commit}") || { say "there is no commit $2"; exit 2; }
            shift ;;
        cold | incremental | sizes) parts+=("$1") ;;
        *) say "unknown: $1; allowed: --before COMMIT, cold, incremental, sizes"; exit 2 ;;
    esac
    shift
done
[ ${#parts[@]} -gt 0 ] || parts=(cold incremental sizes)

# A folder of its own, so that the usual builds are not thrown away; the engine is shared.
work="$root/target/build-times"
engine="${SDCPP_BUILD_DIR:-$root/target/sdcpp-native}"
jobs="${SDCPP_JOBS:-2}"
export CARGO_BUILD_JOBS="$jobs" CARGO_TARGET_DIR="$work/cargo"
# As a user's builds are; CI's are not incremental.
unset CARGO_INCREMENTAL
mkdir -p "$work"

# Seconds that a command takes.
seconds() {
    local begin
    begin=$(date +%s%N)
    "$@" >&2
    awk "BEGIN { printf \"%.1f\", ($(date +%s%N) - $begin) / 1e9 }"
}

# tree COMMIT: its files in a folder, where they can be changed.
tree() {
    rm -rf "$work/tree"
    mkdir "$work/tree"
    # As written now: Cargo takes files that are older than a build for built.
    git archive "$1" | tar -x -m -C "$work/tree"
    (cd "$work/tree" && cargo fetch --quiet --locked)
}

# Seconds of building the engine of the tree, and its package.
cold() {
    local folder="$work/cold"
    rm -rf "$folder"
    seconds env -C "$work/tree" SDCPP_BUILD_DIR="$folder/engine" CARGO_TARGET_DIR="$folder/cargo" \
        cargo build --quiet --locked --release -p sdcpp-sys
    rm -rf "$folder"
}

# Median of five builds of the tree's command line, each after a change of the crate.
incremental() {
    local change
    local build=(env -C "$work/tree" SDCPP_BUILD_DIR="$engine" cargo build --quiet --locked -p sdcpp-cli)
    "${build[@]}" >&2
    for change in 1 2 3 4 5; do
        printf '\n/// A change.\npub fn change_%s() -> u32 {\n    %s\n}\n' "$change" "$change" \
            >>"$work/tree/sd/src/lib.rs"
        seconds "${build[@]}"
        echo
    done | sort -n | sed -n 3p
}

# of COMMIT PART: its seconds, or a dash without a commit.
of() {
    if [ -z "$1" ]; then echo –; return; fi
    tree "$1"
    "$2"
}

times() {
    local part row earlier now
    printf '| build, %s jobs | before%s, s | now, s |\n|---|---|---|\n' "$jobs" "${before:+ (${before:0:9})}"
    for part in "$@"; do
        case "$part" in
            cold) row='the engine and its package from nothing, release' ;;
            incremental) row='the command line after a change of the crate, dev' ;;
        esac
        earlier=$(of "$before" "$part")
        now=$(of HEAD "$part")
        echo "| $row | $earlier | $now |"
    done
    echo
}

# Megabytes of a file, as it is and stripped.
megabytes() {
    strip -o "$work/stripped" "$1"
    awk "BEGIN { printf \"%.1f | %.1f\", $(wc -c <"$1") / 1e6, $(wc -c <"$work/stripped") / 1e6 }"
}

# size NAME [ARGUMENT OF RUSTC...]: a row, by the profile that variables set. The time is that of the command
# line's own crate and its linking.
size() {
    local name=$1 took program library
    shift
    local build=(env SDCPP_BUILD_DIR="$engine" cargo rustc --quiet --locked --release)
    "${build[@]}" -p sdcpp-capi --lib -- "$@" >&2
    "${build[@]}" -p sdcpp-cli --bin sdcpp -- "$@" >&2
    touch examples/cli/src/main.rs
    took=$(seconds "${build[@]}" -p sdcpp-cli --bin sdcpp -- "$@")
    program=$(megabytes "$CARGO_TARGET_DIR/release/sdcpp")
    library=$(megabytes "$CARGO_TARGET_DIR/release/libsdcpp_capi.so")
    echo "| $name | $program | $library | $took |"
}

sizes() {
    echo '| release | command line, MB | stripped | C library, MB | stripped | last crate and linking, s |'
    echo '|---|---|---|---|---|---|'
    # The linker leaves out sections that nothing needs unless it is told not to; the engine is compiled with
    # a section for each function.
    size 'without section GC' -C link-arg=-Wl,--no-gc-sections
    size 'as it is'
    CARGO_PROFILE_RELEASE_LTO=thin size 'thin LTO'
    CARGO_PROFILE_RELEASE_LTO=fat size 'fat LTO'
    CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 size 'fat LTO, one unit'
    echo
}

timed=()
for part in "${parts[@]}"; do
    [ "$part" = sizes ] || timed+=("$part")
done
if [ ${#timed[@]} -gt 0 ]; then times "${timed[@]}"; fi
case " ${parts[*]} " in *' sizes '*) sizes ;; esac
rm -rf "$work/tree" "$work/stripped"
