#!/bin/sh
# Measures memory at the size of a real model, and prints the tables of docs/memory.md: how near the
# estimates are, and what a second context costs; and tries that nothing is refused that fits. Takes
# 2.1 GB of disk for the model, written once to target/test-models, 6 GB of main memory, and ten
# minutes. Linux.
set -eu
cd "$(dirname "$0")/.."
cargo test --release --test memory_real -- --ignored --nocapture --test-threads 1 \
    the_peak_is_within_30_percent two_contexts_of_a_mapped_file
cargo test --release --test memory -- --ignored --nocapture what_just_fits_is_not_refused
