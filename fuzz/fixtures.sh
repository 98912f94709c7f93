#!/bin/sh
# Fills corpus/ with the bodies of the deliveries that the tests know.
set -eu
cd "$(dirname "$0")"
for sender in dockerhub distribution; do
    mkdir -p "corpus/$sender"
    for delivery in ../fixtures/receivers/"$sender"/*.http; do
        # The body follows the first empty line.
        sed '1,/^\r$/d' "$delivery" >"corpus/$sender/$(basename "$delivery" .http)"
    done
done
