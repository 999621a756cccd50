#!/usr/bin/env bash
# From a fresh clone to a page in the browser: installs what is missing, builds the HTTP service, and starts
# it with the demo model, or with what it is told.
#
#   scripts/serve.sh [OPTIONS OF sdcpp-server]
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

say "Building (the C++ engine takes some minutes the first time) ..."
cargo build --release -p sdcpp-server
if [ $# -eq 0 ]; then
    set -- --model examples/models/demo_q8_0.gguf
fi
target=${CARGO_TARGET_DIR:-target}
exec "$target/release/sdcpp-server" "$@"
