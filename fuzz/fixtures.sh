#!/bin/sh
# Fills corpus/ with the bodies of the deliveries that the tests know.
set -eu
cd "$(dirname "$0")"
for folder in ../fixtures/receivers/*/; do
    sender=$(basename "$folder")
    target=$(echo "$sender" | tr - _)
    mkdir -p "corpus/$target"
    for delivery in "$folder"*.http; do
        # The body follows the first empty line.
        sed '1,/^\r$/d' "$delivery" >"corpus/$target/$(basename "$delivery" .http)"
    done
done
