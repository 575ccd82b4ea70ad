#!/usr/bin/env bash
# Builds the Debian package of what [package.metadata.deb] in Cargo.toml says, with cargo-deb where that is installed, and
# otherwise with Debian's own tools (dpkg-dev, binutils). It prints which, and where the package is.
#
#     deploy/debian/build.sh [--binary FILE] [--version VERSION] [--output FOLDER] [--with cargo-deb|dpkg-deb] [--fast]
#
# Without a binary it builds one (cargo build --release). --fast packs less tightly. Built twice of the same source with the same SOURCE_DATE_EPOCH (when
# it is not set: the date of the newest entry of deploy/debian/changelog) it is the same package, byte for byte.
set -euo pipefail
folder=$(pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

binary= version= output=target/debian with= fast=
while [ $# -gt 0 ]; do
    case "$1" in
    --binary) binary=$(realpath "$folder/$2" 2>/dev/null || realpath "$2") ;;
    --version) version=$2 ;;
    --output) output=$(mkdir -p "$2" && realpath "$2") ;;
    --with) with=$2 ;;
    --fast)
        fast=--fast
        shift
        continue
        ;;
    *)
        sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
    esac
    shift 2
done
if [ -z "$with" ]; then
    if command -v cargo-deb >/dev/null; then with=cargo-deb; else with=dpkg-deb; fi
fi
changed() { dpkg-parsechangelog -l deploy/debian/changelog -S "$1"; }
version=${version:-$(changed Version)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(changed Timestamp)}
if [ -z "$binary" ]; then
    cargo build --release --bin rosterd
    binary=${CARGO_TARGET_DIR:-target}/release/rosterd
fi

umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$output" "$work/release" "$work/tree"
package=$output/rosterd_${version}_$(dpkg --print-architecture).deb
# cargo-deb takes it from where cargo would have put it.
strip --remove-section=.comment --remove-section=.note -o "$work/release/rosterd" "$binary"

case "$with" in
cargo-deb)
    CARGO_TARGET_DIR=$work cargo deb --quiet --no-build --no-strip ${fast:+"$fast"} \
        --deb-version "$version" --output "$package" >/dev/null
    ;;
dpkg-deb)
    cargo metadata --format-version 1 --no-deps |
        python3 deploy/debian/stage.py "$work/tree" "$work/release/rosterd" "$version"
    find "$work/tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group ${fast:+-Zgzip -z1} --build "$work/tree" "$package" >/dev/null
    ;;
*)
    echo "there is no $with: cargo-deb or dpkg-deb" >&2
    exit 2
    ;;
esac
echo "$package (built with $with)"
