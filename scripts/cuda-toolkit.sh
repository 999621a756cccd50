#!/usr/bin/env bash
# Fetches NVIDIA's compiler and the libraries that the feature `cuda` is built with from PyPI, without
# root, into .tools/cuda (1 GB), and prints the variables that make a build use it:
#
#   eval "$(scripts/cuda-toolkit.sh)" && scripts/engine-library.sh cuda
#
# It compiles on a machine without an NVIDIA card too. Where a toolkit is installed this is not needed.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

version=13.0
wheels="$tools/cuda"
prefix="$wheels/nvidia/cu${version%%.*}"
packages=(nvidia-cuda-nvcc nvidia-cuda-runtime nvidia-nvvm nvidia-cuda-crt nvidia-cuda-cccl)
if [ ! -f "$wheels/complete" ]; then
    have python3 || { say "python3 with pip is needed to fetch the toolkit from PyPI"; exit 1; }
    say "Fetching the CUDA $version toolkit from PyPI into .tools/cuda ..."
    rm -rf "$wheels"
    # The compiler and what belongs to it in one version; cuBLAS has versions of its own.
    python3 -m pip install --quiet --disable-pip-version-check --target "$wheels" \
        "${packages[@]/%/==$version.*}" "nvidia-cublas<14" >&2
    # Wheels have no names without version, and no lib64, which compilers and CMake look for.
    for library in "$prefix"/lib/lib*.so.*; do
        ln -sf "$(basename "$library")" "${library%%.so.*}.so"
    done
    ln -sfn lib "$prefix/lib64"
    chmod +x "$prefix"/bin/* "$prefix"/nvvm/bin/*
    touch "$wheels/complete"
fi
"$prefix/bin/nvcc" --version >&2
cat <<EOF
export CUDACXX='$prefix/bin/nvcc'
export CUDAToolkit_ROOT='$prefix'
export LIBRARY_PATH='$prefix/lib'\${LIBRARY_PATH:+:\$LIBRARY_PATH}
EOF
