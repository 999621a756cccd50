#!/usr/bin/env bash
# From a fresh clone to a first picture: installs what is missing, builds, draws.
#
#   scripts/quickstart.sh [PROMPT]
set -euo pipefail
start=$SECONDS
# shellcheck source=scripts/prerequisites.sh
. "$(dirname "$0")/prerequisites.sh"
prompt=${1:-a red circle}

say "Building (the C++ engine takes some minutes the first time) ..."
built=$SECONDS
cargo build --release --example txt2img
built=$((SECONDS - built))

drawn=$SECONDS
cargo run --quiet --release --example txt2img -- --prompt "$prompt" --seed 42 -o out.png
drawn=$((SECONDS - drawn))

echo
echo "Picture:  $PWD/out.png"
echo "Prompt:   $prompt"
echo "Tools:    $((SECONDS - start - built - drawn)) s"
echo "Build:    $built s"
echo "Drawing:  $drawn s (phases above)"
echo
echo "Next: scripts/quickstart.sh \"a blue square\", or give a model of your own:"
echo "  cargo run --release --example txt2img -- --model model.safetensors --prompt \"a lighthouse\""
