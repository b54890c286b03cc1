#!/bin/sh
# How fast `audit verify` reads: a million records by the real writer, verified on one core.
# usage: bench/audit.sh [RECORDS]      HF_BUILD: a release build (default build/release)
set -eu
cd "$(dirname "$0")/.."
build=${HF_BUILD:-build/release}
records=${1:-1000000}
ledger=$(mktemp -d)/ledger
trap 'rm -rf "$(dirname "$ledger")"' EXIT

"$build/tests/ledger_fill" "$ledger" "$records" 67108864 end
bytes=$(cat "$ledger"/ledger-*.jsonl | wc -c)
for verb in verify report; do
    for _ in 1 2 3 4 5; do
        command time -f '%U %S %M' -o "$ledger.time" \
            taskset -c 0 "$build/holdfast" audit "$verb" --ledger "$ledger" > "$ledger.out"
        awk -v bytes="$bytes" -v verb="$verb" \
            '{ printf "%s: %.0f MB, %.2f s of CPU, %.0f MB/s, %d MB of memory at most\n", verb, bytes / 1e6, $1 + $2,
                      bytes / 1e6 / ($1 + $2), $3 / 1024 }' "$ledger.time"
    done
done
