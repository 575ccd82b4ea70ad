# shellcheck shell=bash
# To be sourced: a machine with systemd of its own, in a container without a network to the outside. What it is made of is kept
# in target/deploy, so that the next one takes a second.

suite=bookworm
machine_packages=systemd,systemd-sysv,dbus,curl,procps,iproute2,openssl,prosody
machines=$PWD/target/deploy
root=$machines/machine
nspawn=
leader=

# Why there can be no such machine here; nothing where there can be.
why_no_machine() {
    local tool
    if [ "$(id -u)" -ne 0 ]; then
        echo "this is not run by root"
        return
    fi
    for tool in mmdebstrap systemd-nspawn nsenter unshare lintian; do
        if ! command -v "$tool" >/dev/null; then
            echo "$tool is not installed"
            return
        fi
    done
    # A container that is not privileged itself may do none of this.
    if ! unshare --mount --pid --net --ipc --uts --fork sh -c 'mount -t tmpfs none /mnt && mount -t proc none /proc' \
        2>/dev/null; then
        echo "namespaces and mounts are not allowed"
    elif ! can_make_control_groups; then
        echo "control groups can not be made"
    fi
}

can_make_control_groups() {
    local top=/sys/fs/cgroup
    # Of the first version, where systemd has a hierarchy of its own.
    if [ -d "$top/systemd" ]; then top=$top/systemd; fi
    mkdir "$top/rosterd-test-$$" && rmdir "$top/rosterd-test-$$"
} 2>/dev/null

# What a machine begins with: Debian, a chat server, and nothing else.
make_base() {
    local base=$machines/base
    if [ "$(cat "$base.made-of" 2>/dev/null)" = "$suite $machine_packages" ]; then
        return
    fi
    echo "Making a Debian $suite (once): $machine_packages"
    rm -rf "$base" "$base.made-of"
    mmdebstrap --quiet --variant=minbase --include="$machine_packages" \
        --dpkgopt='path-exclude=/usr/share/locale/*' "$suite" "$base" >"$base.log" 2>&1 || {
        tail -n 20 "$base.log" >&2
        return 1
    }
    echo "$suite $machine_packages" >"$base.made-of"
}

# A new machine, not running yet, in $root.
make_machine() {
    mkdir -p "$machines"
    make_base
    rm -rf "$root"
    cp -a --reflink=auto "$machines/base" "$root"
}

# Boots the machine in $root.
boot() {
    setsid systemd-nspawn -q -D "$root" --machine="rosterd-test-$$" --register=no --keep-unit --private-network \
        --console=pipe -b >"$machines/console.log" 2>&1 </dev/null &
    nspawn=$!
    within 30 "the container's first process" is_leader
    within 60 "systemd in the container" is_up
    inside ip link set lo up
}

is_leader() {
    leader=$(pgrep -P "$nspawn")
}

is_up() {
    [[ $(inside systemctl is-system-running 2>/dev/null) =~ ^(running|degraded)$ ]]
}

# Runs a command in the machine.
inside() {
    nsenter -t "$leader" -m -u -i -n -p -C -r -w \
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"
}

# Runs a program of the test's own machine in the network of the container.
in_its_network() {
    nsenter -t "$leader" -n "$@"
}

power_off() {
    if [ -n "$leader" ]; then
        kill -s RTMIN+4 "$leader" 2>/dev/null || true
        within 20 "the container's end" has_ended || kill -KILL "$leader" 2>/dev/null || true
        leader=
    fi
    if [ -n "$nspawn" ]; then
        kill "$nspawn" 2>/dev/null || true
        wait "$nspawn" 2>/dev/null || true
        nspawn=
    fi
}

has_ended() {
    ! kill -0 "$leader" 2>/dev/null
}

# Waits until a command succeeds, for so many seconds at the most.
within() {
    local most=$1 what=$2 began=$SECONDS
    shift 2
    until "$@"; do
        if [ $((SECONDS - began)) -ge "$most" ]; then
            echo "waited $most s for $what" >&2
            return 1
        fi
        sleep 0.1
    done
}
