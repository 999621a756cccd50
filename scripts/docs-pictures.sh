#!/usr/bin/env bash
# Draws the pictures of docs/images again, with the demo model: all of them, or those named.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

# Debug builds draw as fast: the engine itself is always optimised.
cargo build --examples --locked
"${CARGO_TARGET_DIR:-target}/debug/examples/docs_pictures" "$@"
