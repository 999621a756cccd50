#!/usr/bin/env bash
# Measures speed, and prints the tables of docs/performance.md: all of them, or those that are named.
#
#   scripts/bench.sh [overhead] [start] [pool] [png] [settings] [types] [builds]
#   scripts/bench.sh [upstream] [together] [nodes] [arithmetic]
#   scripts/bench.sh candle pytorch openvino
#
# Those of the last line are other runtimes, which run only if they are named: candle is built, which takes ten
# minutes on two cores, and PyTorch and OpenVINO are installed from PyPI into target/runtimes, 6 GB.
# `start`, `upstream`, `together` and `nodes` build the engine once more, as its own build does, and `builds` once
# more with each option (OpenBLAS where it is installed); SDCPP_BENCH_LONG=1 adds 512² pictures to `types`,
# `upstream` and the runtimes.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

# make_environment FOLDER: of Python. Debian has what that needs in a package of its own.
make_environment() {
    python3 -m venv --clear "$1" >&2 && return 0
    say "Installing Python's venv ..."
    install_by_system python3-venv python3 python python3 && python3 -m venv --clear "$1" >&2
}

# The environment that benches/speed/runtimes.rs starts its programs in.
need_runtimes() {
    local folder=target/runtimes
    need_python
    # An environment without pip is what is left of one that could not be made.
    "$folder/bin/python" -m pip --version >/dev/null 2>&1 || make_environment "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r benches/python/requirements.txt >&2
}

for name in "$@"; do
    case $name in
        pytorch | openvino)
            need_runtimes
            break
            ;;
    esac
done
exec cargo bench --locked --bench speed -- "$@"
