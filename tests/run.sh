#!/usr/bin/env bash
# Everything that has to hold: format, lints, documentation, all tests, the tests on real servers, their faults, and the demo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/packages.sh
. deploy/packages.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Tests that can not be run here add a line to this.
export ROSTERD_SKIPPED="$work/skipped"
: >"$ROSTERD_SKIPPED"
times=()

step() {
    local name=$1 began=$SECONDS
    shift
    printf '\n==> %s\n' "$name"
    if ! "$@"; then
        printf '\n==> FAILED: %s\n' "$name" >&2
        exit 1
    fi
    times+=("$(printf '%4d s  %s' $((SECONDS - began)) "$name")")
}

tests() {
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run
    else
        # Fewer at a time than there are cores: some of them start servers.
        cargo test --lib --bins --tests -- --test-threads=2
    fi
}

find_cargo
packages=(prosody prosody-modules ejabberd python3-venv curl gcc libc6-dev chromium nginx-light wrk openssl systemd prometheus
    systemd-container mmdebstrap lintian man-db zsh fish dpkg-dev binutils procps)
# Debian's npm does not go with a node from elsewhere.
command -v npm >/dev/null || packages+=(nodejs npm)
step "packages" install_missing "${packages[@]}"
step "format" cargo fmt --check
step "lints" cargo clippy --quiet --all-targets -- -D warnings
step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps
step "tests" tests
step "tests in the documentation" cargo test --quiet --doc
# That it runs; what it measures then says nothing.
step "benchmark of the link" cargo test --quiet --bench link -- --quick
step "benchmark of presence" cargo test --quiet --bench presence -- --quick
step "faults" ./tests/faults.sh
step "demo" ./deploy/demo.sh --once
# It packs the program that the tests have used.
step "package on a real systemd" ./tests/deploy.sh

printf '\n==> Passed\n'
printf '%s\n' "${times[@]}"
if [ -s "$ROSTERD_SKIPPED" ]; then
    printf '\n==> But not everything could be run here:\n'
    sort -u "$ROSTERD_SKIPPED"
    if [ -n "${CI:-}" ] && grep -qE 'prosody|ejabberd|slixmpp|schemathesis|browser|systemd-analyze|promtool' "$ROSTERD_SKIPPED"; then
        printf '\n==> FAILED: in CI the tests on real servers, in a browser, of the units and of the metrics have to be run\n' >&2
        exit 1
    fi
fi
