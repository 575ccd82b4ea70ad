#!/usr/bin/env bash
# Puts playwright-core into the folder that is named, unless it is there already. Several may ask at once.
set -euo pipefail
folder=$1 version=1.65.1
mkdir -p "$folder"
exec 9>"$folder.lock"
flock 9
if ! grep -qs "\"version\": \"$version\"" "$folder/node_modules/playwright-core/package.json"; then
    # It comes without browsers; none is fetched.
    npm install --prefix "$folder" --no-save --no-audit --no-fund --silent "playwright-core@$version"
fi
