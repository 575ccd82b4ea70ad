#!/usr/bin/env bash
# Makes a Python with schemathesis in the folder that is named, unless it is there already. Several may ask at once.
set -euo pipefail
folder=$1 version=4.32.5
mkdir -p "$(dirname "$folder")"
exec 9>"$folder.lock"
flock 9
if "$folder/bin/python" -c "from importlib.metadata import version; assert version('schemathesis') == '$version'" 2>/dev/null; then
    exit
fi
rm -rf "$folder"
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
