#!/usr/bin/env bash
# Draws the pictures of docs/images again, with the demo model: all of them, or those named.
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"

cargo build --release --examples --locked
"${CARGO_TARGET_DIR:-target}/release/examples/docs_pictures" "$@"
