#!/bin/sh
# Runs fuzz targets, all or those named, each for so many seconds from the bodies of the fixtures and what earlier runs found; then
# says how often each was executed. It ends with the first find.
#
#   fuzz/run.sh SECONDS [TARGET...]
set -eu
cd "$(dirname "$0")"
seconds=$1
shift
cargo=${CARGO:-cargo}
# The compiler has to take flags that a stable one refuses, unless it is told that it is none.
if rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
    nightly=+nightly
else
    nightly=
    export RUSTC_BOOTSTRAP=1
fi
# cargo-fuzz looks for a folder of this name below the one that it is called in.
fuzz() { (cd .. && "$cargo" $nightly fuzz "$@"); }

./fixtures.sh
[ $# -gt 0 ] || set -- $(fuzz list)
mkdir -p target/logs
echo "==> building the fuzz targets${nightly:+ with the nightly compiler}"
fuzz build
for target; do
    echo "==> fuzzing $target for $seconds s"
    log=target/logs/$target.log
    # A delivery has at most 1 MiB, and what is found in 16 KiB is found sooner.
    if ! fuzz run "$target" -- -max_total_time="$seconds" -max_len=16384 -timeout=10 -print_final_stats=1 >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        exit 1
    fi
done
echo "==> executions, new inputs in the corpus, and the most memory that it took"
for target; do
    awk -v target="$target" '
        /number_of_executed_units/ { executed = $2 }
        /new_units_added/ { added = $2 }
        /peak_rss_mb/ { memory = $2 }
        END { printf "%-14s %12d %8d %6d MiB\n", target, executed, added, memory }' "target/logs/$target.log"
done
