#!/usr/bin/env bash
# Builds the engine as a shared library, for programs that open it at run time (docs/linking.md):
#
#   scripts/engine-library.sh [cpu|cuda|hip|metal|sycl|vulkan] [FOLDER]
#
# makes FOLDER/libsdcpp_engine_<backend>.so; without arguments that of the CPU, in target/engines. It is
# portable, as what is shipped must be; SDCPP_NATIVE=1 tunes it for this machine.
set -euo pipefail
folder=${2:-}
# As the caller sees it: the next line goes to the repository.
[ -z "$folder" ] || { mkdir -p "$folder" && folder=$(cd "$folder" && pwd); }
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

backend=${1:-cpu}
case "$backend" in
    cpu) features=() ;;
    vulkan) need_vulkan; features=(--features vulkan) ;;
    cuda | hip | metal | sycl) features=(--features "$backend") ;;
    *) say "unknown backend: $backend (cpu, cuda, hip, metal, sycl, vulkan)"; exit 2 ;;
esac
export SDCPP_LIBRARY_DIR="${folder:-$root/target/engines}"
export SDCPP_NATIVE="${SDCPP_NATIVE:-0}"
export SDCPP_BUILD_DIR="${SDCPP_BUILD_DIR:-$root/target/sdcpp-native}"
# Folders of their own: the variables above would make every crate of the workspace be built again, and
# two backends can be built at once.
cargo build --quiet --locked --package sdcpp-sys --no-default-features ${features[@]+"${features[@]}"} \
    --target-dir "target/engine-library/$backend"
ls "$SDCPP_LIBRARY_DIR"/*sdcpp_engine_"$backend"*
