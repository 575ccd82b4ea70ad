# shellcheck shell=bash
# To be sourced: installs what is missing on Debian, and finds cargo.

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs those of these Debian packages that are missing, and says so. A package that brings a server may not start it.
install_missing() {
    local missing=() package guard=/usr/sbin/policy-rc.d
    if ! command -v dpkg-query >/dev/null; then
        echo "This is not Debian. These packages have to be there already: $*"
        return
    fi
    for package in "$@"; do
        if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" != installed ]; then
            missing+=("$package")
        fi
    done
    if [ ${#missing[@]} -eq 0 ]; then
        echo "Installed already: $*"
        return
    fi
    echo "Installing from Debian: ${missing[*]}"
    (
        if [ ! -e "$guard" ]; then
            echo "  ($guard keeps the servers among them from being started now, and is removed again;"
            echo "   Debian starts them at the next boot, unless you disable them)"
            trap 'as_root rm -f "$guard"' EXIT
            # shellcheck disable=SC2016
            as_root sh -c 'printf "#!/bin/sh\nexit 101\n" >"$0" && chmod 755 "$0"' "$guard"
        fi
        as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null &&
            as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
    ) || {
        echo "Could not install: ${missing[*]}" >&2
        return 1
    }
}

# Puts cargo on the PATH, where rustup has put it.
find_cargo() {
    local home
    for home in "$HOME" "$(getent passwd "${SUDO_USER:-root}" | cut -d: -f6)"; do
        if ! command -v cargo >/dev/null && [ -x "$home/.cargo/bin/cargo" ]; then
            PATH="$home/.cargo/bin:$PATH"
            # Under sudo rustup would look for its toolchains in root's home.
            export RUSTUP_HOME="${RUSTUP_HOME:-$home/.rustup}"
        fi
    done
    if ! command -v cargo >/dev/null; then
        echo "Rust is missing: see https://rustup.rs" >&2
        return 1
    fi
}
