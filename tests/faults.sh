#!/usr/bin/env bash
# Faults of the server and of the network, on real Prosody and ejabberd: some minutes, most of them spent waiting. Arguments
# choose among the tests by name, such as: ./tests/faults.sh rivals
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/packages.sh
. deploy/packages.sh

# Alone it says itself what could not be tested here; within ./tests/run.sh that does.
own_list=
if [ -z "${ROSTERD_SKIPPED:-}" ]; then
    own_list=$(mktemp)
    trap 'rm -f "$own_list"' EXIT
    export ROSTERD_SKIPPED=$own_list
fi

find_cargo
install_missing prosody ejabberd gcc libc6-dev iproute2 util-linux
cargo clippy --quiet --test faults -- -D warnings
# More at a time than there are cores: they mostly wait.
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --no-fail-fast --test-threads 4 --test faults "$@"
else
    cargo test --no-fail-fast --test faults -- --test-threads=4 "$@"
fi

if [ -n "$own_list" ] && [ -s "$own_list" ]; then
    printf '\nNot everything could be tested here:\n'
    sort -u "$own_list"
fi
