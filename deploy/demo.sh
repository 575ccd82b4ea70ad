#!/usr/bin/env bash
# Shows rosterd at work, on this machine and on loopback only: a private Prosody, the daemon, three people who staff two
# queues, and somebody who follows those. Ctrl-C ends everything. With --once it plays once, checks what comes out, and ends.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/packages.sh
. deploy/packages.sh

install_missing prosody gcc libc6-dev
find_cargo
echo "Building rosterd and the demo."
cargo build --bin rosterd --example demo

# The demo ends all that it has started, also when it fails; from here on there is nothing else to clean up.
exec cargo run --quiet --example demo -- "$@"
