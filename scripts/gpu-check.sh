#!/usr/bin/env bash
# Checks a backend on a machine that has the card, CMake and the card's compiler, but neither Rust nor a
# network (docs/backends.md):
#
#   scripts/gpu-check.sh pack
#
# with Rust, on any machine of that processor: makes target/gpu-check/pack, which is the fixed source of
# the engine and a program. Then, where the card is, in a copy of this repository with that folder:
#
#   scripts/gpu-check.sh cuda|hip|sycl|vulkan|cpu [ARGUMENT...]
#
# builds the engine, compares its pictures with the processor's and with those of the engine's C API
# without this binding, and measures both by turns. The arguments are those of examples/backend_check
# (--help). SDCPP_CMAKE_ARGS goes to CMake; what is built stays, and is not built again.
set -euo pipefail
cd "$(dirname "$0")/.."
check=target/gpu-check

pack() {
    # shellcheck source=scripts/prerequisites.sh
    . scripts/prerequisites.sh
    need_libclang
    rm -rf "$check/pack" "$check"/native/source-*
    mkdir -p "$check/pack"
    # Unpacks and fixes the source, and compiles none of it.
    SDCPP_BUILD_DIR="$root/$check/native" cargo build --quiet --locked --package sdcpp-sys \
        --no-default-features --features bindgen --target-dir "$check/cargo"
    tar -C "$check"/native/source-* -czf "$check/pack/engine.tar.gz" .
    cargo build --quiet --locked --release --no-default-features --features dynamic \
        --example backend_check --target-dir "$check/cargo"
    strip -o "$check/pack/backend_check" "$check/cargo/release/examples/backend_check"
    du -sh "$check"/pack/*
}

backend=${1:-}
case "$backend" in
    pack) pack; exit ;;
    cuda | hip | sycl | vulkan | cpu) shift ;;
    *) echo "usage: $0 pack, or $0 cuda|hip|sycl|vulkan|cpu [ARGUMENT...]" >&2; exit 2 ;;
esac
if [ ! -x "$check/pack/backend_check" ]; then
    echo "$check/pack is missing: make it with '$0 pack' where Rust is, and copy it here" >&2
    exit 1
fi

engine="$check/engine"
if [ "$check/pack/engine.tar.gz" -nt "$engine/.unpacked" ]; then
    rm -rf "$engine"
    mkdir -p "$engine"
    tar -C "$engine" -xzf "$check/pack/engine.tar.gz"
    touch "$engine/.unpacked"
fi

# A value of the file that names the engine's source.
pinned() { sed -n "s/^$1 = \"\(.*\)\"/\1/p" vendor/engine-source.toml; }

build="$check/build-$backend"
backends=$backend
[ "$backend" != cpu ] || backends=
generator=()
if command -v ninja >/dev/null; then generator=(-G Ninja); fi
# The card of this machine, and no other.
export CUDAARCHS="${CUDAARCHS:-native}"
# Several words on purpose.
# shellcheck disable=SC2086
cmake -S tests/native -B "$build" ${generator[@]+"${generator[@]}"} \
    -DSDCPP_SOURCE="$PWD/$engine" -DSDCPP_BACKENDS="$backends" -DSDCPP_NATIVE=ON \
    -DSDCPP_HEADERS="$(pinned headers)" -DSDCPP_BUILD_COMMIT="$(pinned commit)" \
    ${SDCPP_CMAKE_ARGS:-}
begin=$SECONDS
cmake --build "$build" --config Release --target sdcpp_engine direct --parallel "$(nproc)"
echo "built in $((SECONDS - begin)) s"

if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
fi
library=$(find "$build" -name "libsdcpp_engine_$backend.*" | head -n 1)
if command -v ldd >/dev/null; then ldd "$library"; fi
SDCPP_LIBRARY="$library" "$check/pack/backend_check" --backend "$backend" --direct "$build/direct" "$@"
