#!/usr/bin/env bash
# Builds the service, and the command that measures for it, with their engines, and installs all:
#
#   examples/server/deploy/install.sh [cpu|cuda|vulkan] [PREFIX]
#
# puts sdcpp-server and sdcpp into PREFIX/bin and the engines into PREFIX/lib/sdcpp, where they find them;
# without arguments that of the processor, in /usr/local. With a graphics card's engine comes the
# processor's, which draws where there is no card. Both are portable; SDCPP_NATIVE=1 tunes them for this
# machine. The image of the Dockerfile beside is made by this script too.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/../../../scripts/prerequisites.sh"

backend=${1:-cpu} prefix=${2:-/usr/local}
case "$backend" in
    cpu | cuda | vulkan) ;;
    *) say "unknown backend: $backend (cpu, cuda, vulkan)"; exit 2 ;;
esac
case "$prefix" in /*) ;; *) say "the prefix must be an absolute path, and is: $prefix"; exit 2 ;; esac
# Before the minutes that a build takes.
mkdir -p "$prefix/bin" "$prefix/lib/sdcpp"
if [ ! -w "$prefix/bin" ] || [ ! -w "$prefix/lib/sdcpp" ]; then
    say "cannot write to $prefix: use sudo"
    exit 1
fi

runtime=()
if [ "$backend" = cuda ] && ! have nvcc; then
    variables=$(scripts/cuda-toolkit.sh)
    eval "$variables"
    for library in libcudart libcublas libcublasLt; do
        runtime+=("${CUDAToolkit_ROOT:?}/lib/$library".so.*)
    done
fi
engines="$root/target/engines"
scripts/engine-library.sh cpu "$engines"
[ "$backend" = cpu ] || scripts/engine-library.sh "$backend" "$engines"
cargo build --release --locked --package sdcpp-server --package sdcpp-cli \
    --no-default-features --features dynamic

# A program that runs keeps the files that it has open.
built="${CARGO_TARGET_DIR:-$root/target}/release"
install -m 755 "$built/sdcpp-server" "$built/sdcpp" "$prefix/bin/"
for file in "$engines"/libsdcpp_engine_{cpu,"$backend"}.* ${runtime[@]+"${runtime[@]}"}; do
    install -m 755 "$file" "$prefix/lib/sdcpp/"
done
say "installed $prefix/bin/sdcpp-server and $prefix/bin/sdcpp"
