#!/usr/bin/env bash
# Checks a backend on a machine that has the card, CMake and the card's compiler, but neither Rust nor a
# network (docs/backends.md):
#
#   scripts/gpu-check.sh pack
#
# with Rust, on any machine of that processor: makes target/gpu-check/pack, which is the fixed source of
# the engine, Vulkan's headers and a program. Then, where the card is, in a copy of this repository with
# that folder:
#
#   scripts/gpu-check.sh cuda|hip|sycl|vulkan|cpu [ARGUMENT...]
#
# builds the engine, compares its pictures with the processor's and with those of the engine's C API
# without this binding, and measures both by turns. The arguments are those of examples/backend_check
# (--help). SDCPP_CMAKE_ARGS goes to CMake; what is built stays, and is not built again.
#
# That machine needs a C++17 compiler, CMake (3.18; for Vulkan 3.19, for HIP 3.21), and for CUDA the
# toolkit, for Vulkan glslc, the loader with libvulkan.so, and SPIR-V headers.
set -euo pipefail
cd "$(dirname "$0")/.."
check=target/gpu-check

fail() { printf 'gpu-check.sh: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# value FILE KEY: of one of vendor's files, which name what is fetched.
value() { sed -n "s/^$2 = \"\(.*\)\"/\1/p" "vendor/$1.toml"; }

# The folder of Vulkan's headers, which the build script has let cargo fetch.
vulkan_headers() {
    local manifest crate
    manifest="$check/native/fetch/vulkan-headers/Cargo.toml"
    crate=$(cargo metadata --locked --offline --format-version 1 --manifest-path "$manifest" |
        grep -o "\"manifest_path\":\"[^\"]*/$(value vulkan-headers crate)-[^\"/]*/Cargo.toml\"" |
        head -n 1 | cut -d '"' -f 4)
    printf '%s/%s' "${crate%/Cargo.toml}" "$(value vulkan-headers folder)"
}

pack() {
    # shellcheck source=scripts/prerequisites.sh
    . scripts/prerequisites.sh
    need_libclang
    rm -rf "$check/pack" "$check"/native/source-*
    mkdir -p "$check/pack"
    # Unpacks and fixes the source, fetches the headers, and compiles neither.
    SDCPP_BUILD_DIR="$root/$check/native" cargo build --quiet --locked --package sdcpp-sys \
        --no-default-features --features bindgen,vulkan --target-dir "$check/cargo"
    tar -C "$check"/native/source-* -czf "$check/pack/engine.tar.gz" .
    tar -C "$(vulkan_headers)" -czf "$check/pack/vulkan-headers.tar.gz" .
    cargo build --quiet --locked --release --no-default-features --features dynamic \
        --example backend_check --target-dir "$check/cargo"
    strip -o "$check/pack/backend_check" "$check/cargo/release/examples/backend_check"
    du -sh "$check"/pack/*
}

# unpack NAME: an archive of the pack, unless it is unpacked already.
unpack() {
    local folder="$check/$1"
    if [ "$check/pack/$1.tar.gz" -nt "$folder/.unpacked" ]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        tar -C "$folder" -xzf "$check/pack/$1.tar.gz"
        touch "$folder/.unpacked"
    fi
}

# at_least VERSION: whether CMake is.
at_least() {
    local version
    version=$(cmake --version | sed -n '1s/^cmake version //p')
    printf '%s\n' "$1" "$version" | sort -V -C
}

# The architecture of this machine's cards, and no other. Before 3.24, CMake cannot ask for it.
architectures() {
    if at_least 3.24; then
        echo native
    elif nvidia-smi --query-gpu=compute_cap --format=csv,noheader >"$check/cards"; then
        sort -u "$check/cards" | sed 's/^\([0-9]*\)\.\([0-9]*\).*/\1\2-real/' | paste -s -d ';' -
    else
        fail "name the card's architecture, as CUDAARCHS=90-real for 9.0: CMake before 3.24 does not know it, and nvidia-smi does not tell it"
    fi
}

backend=${1:-}
case "$backend" in
    pack) pack; exit ;;
    cuda | hip | sycl | vulkan | cpu) shift ;;
    *) echo "usage: $0 pack, or $0 cuda|hip|sycl|vulkan|cpu [ARGUMENT...]" >&2; exit 2 ;;
esac
for file in engine.tar.gz vulkan-headers.tar.gz backend_check; do
    [ -e "$check/pack/$file" ] ||
        fail "$check/pack/$file is missing: make the pack with '$0 pack' where Rust is, and copy it here"
done
have cmake || fail "CMake is missing; without root: pip install cmake ninja"
case "$backend" in hip) least=3.21 ;; vulkan) least=3.19 ;; *) least=3.18 ;; esac
at_least "$least" || fail "CMake $least or newer is needed for $backend; without root: pip install cmake"

options=()
if have ninja; then options+=(-G Ninja); fi
case "$backend" in
    cuda)
        # Toolkits are not put into PATH where they are installed.
        have "${CUDACXX:-nvcc}" || PATH="$PATH:${CUDA_PATH:-${CUDA_HOME:-/usr/local/cuda}}/bin"
        have "${CUDACXX:-nvcc}" || fail "nvcc is missing: install the CUDA toolkit, or name it in CUDACXX"
        if [ -z "${CUDAARCHS:-}" ]; then CUDAARCHS=$(architectures); fi
        export CUDAARCHS
        ;;
    vulkan)
        have glslc || fail "glslc is missing: apt install glslc libvulkan-dev spirv-headers, or a Vulkan SDK"
        unpack vulkan-headers
        options+=(-DVulkan_INCLUDE_DIR="$PWD/$check/vulkan-headers")
        ;;
esac
unpack engine

build="$check/build-$backend"
backends=$backend
[ "$backend" != cpu ] || backends=
# Several words on purpose.
# shellcheck disable=SC2086
cmake -S tests/native -B "$build" ${options[@]+"${options[@]}"} \
    -DSDCPP_SOURCE="$PWD/$check/engine" -DSDCPP_BACKENDS="$backends" -DSDCPP_NATIVE=ON \
    -DSDCPP_HEADERS="$(value engine-source headers)" \
    -DSDCPP_BUILD_COMMIT="$(value engine-source commit)" ${SDCPP_CMAKE_ARGS:-}
begin=$SECONDS
cmake --build "$build" --config Release --target sdcpp_engine direct --parallel "$(nproc)"
echo "built in $((SECONDS - begin)) s"

if have nvidia-smi; then
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
fi
library=$(find "$build" -name "libsdcpp_engine_$backend.*" | head -n 1)
[ -n "$library" ] || fail "CMake made no library in $build"
if have ldd; then ldd "$library"; fi
SDCPP_LIBRARY="$library" "$check/pack/backend_check" --backend "$backend" --direct "$build/direct" "$@"
