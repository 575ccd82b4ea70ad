#!/usr/bin/env bash
# The package on a real systemd: it is built, installed in a container beside Prosody, set up, started, frozen, crashed, reloaded,
# upgraded, stopped, removed and purged. `tests/deploy.sh [BINARY]`: without one the program of the other tests is packed.
#
# It needs root, and a machine that lets it make namespaces; elsewhere it says that nothing was tested. What the container is
# made of is fetched once, into target/deploy.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/deploy/container.sh
. tests/deploy/container.sh

reason=$(why_no_machine)
if [ -n "$reason" ]; then
    line="SKIPPED: the package was not tried on a real systemd: $reason"
    echo "$line" >&2
    if [ -n "${ROSTERD_SKIPPED:-}" ]; then echo "$line" >>"$ROSTERD_SKIPPED"; fi
    exit 0
fi

binary=${1:-target/debug/rosterd}
if [ $# -eq 0 ] && [ ! -x "$binary" ]; then cargo build --bin rosterd; fi

secret=s3cr3t-of-the-component
password=open-sesame-of-acme
api=https://localhost:8443/2011-12-03
client=
done_with=start

ended() {
    local code=$?
    if [ -n "$client" ]; then kill "$client" 2>/dev/null || true; fi
    if [ $code -ne 0 ]; then
        echo "FAILED after: $done_with" >&2
        if [ -n "$leader" ]; then
            inside systemctl --no-pager --full status rosterd >&2 || true
            inside journalctl --no-pager -n 30 -u rosterd -o short >&2 || true
        fi
    fi
    power_off
    rm -rf "$root"
    exit $code
}
trap ended EXIT
trap 'exit 130' INT TERM

ok() {
    done_with=$1
    printf '%4d s  ok: %s\n' "$SECONDS" "$1"
}

# Fails, and says what was there instead.
expect() {
    local what=$1 wanted=$2 found=$3
    # shellcheck disable=SC2053 # What is wanted is a pattern.
    if [[ $found != $wanted ]]; then
        printf '%s:\n  wanted: %s\n  found:  %s\n' "$what" "$wanted" "$found" >&2
        return 1
    fi
}

property() { inside systemctl show rosterd --value -p "$1"; }
is() { [ "$(property "$1")" = "$2" ]; }
main_pid() { property MainPID; }
link_is_up() { [[ $(property StatusText) == "Linked to the chat server"* ]]; }
ask() {
    # The certificate that the daemon made for itself.
    inside curl -sS --fail-with-body --max-time 20 --cacert /var/lib/rosterd/tls/cert.pem -u "acme:$password" "$@"
}
serves() { ask -o /dev/null "$api/queues" 2>/dev/null; }
was_started_anew() { [ "$(main_pid)" != "$1" ] && is ActiveState active && serves; }
prosody_listens() { inside ss -Hltn | grep -q ':5347'; }
# The first such signal from outside only has Rust take its handler away.
has_crashed() { ! inside kill -SEGV "$1" 2>/dev/null; }
heard() { [ "$(tail -n 1 "$machines/client.log" 2>/dev/null)" = "$1" ]; }
# What the log of the service says since the cursor that was taken with `mark`.
mark() { mark=$(inside journalctl -n 0 --show-cursor -q | sed -n 's/^-- cursor: //p'); }
since_mark() { inside journalctl -q --no-pager -o cat -u rosterd --after-cursor "$mark"; }

queues=()
# Makes an edit, which has to be there from now on, whatever happens.
edit() {
    ask -o /dev/null "$api/queues" -d "name=$1"
    queues+=("$1")
}
everything_is_there() {
    local all name
    all=$(ask "$api/queues")
    for name in "${queues[@]}"; do
        expect "the queues" "*\"$name\"*" "$all"
    done
}

# The package, in two versions

rm -rf "$machines/packages"
deploy/debian/build.sh --fast --binary "$binary" --version 0.1.0-1 --output "$machines/packages"
deploy/debian/build.sh --fast --binary "$binary" --version 0.1.0-2 --output "$machines/packages"
first=$(echo "$machines"/packages/rosterd_0.1.0-1_*.deb)
second=$(echo "$machines"/packages/rosterd_0.1.0-2_*.deb)
said=$(lintian --fail-on error,warning --allow-root "$first" 2>&1) || { echo "$said" >&2 && exit 1; }
expect "lintian" "" "$said"
ok "lintian has nothing to say"

# The machine, with a chat server

make_machine
mkdir "$root/opt/packages"
cp "$first" "$second" "$root/opt/packages/"
sed -e "s/change-me/$secret/" deploy/prosody/rosterd.cfg.lua >"$root/etc/prosody/conf.d/rosterd.cfg.lua"
cat >"$root/etc/prosody/conf.d/example.cfg.lua" <<'LUA'
VirtualHost "example.org"
    authentication = "internal_plain"
    c2s_require_encryption = false
    allow_unencrypted_plain_auth = true
LUA
boot
within 30 "Prosody" prosody_listens
inside prosodyctl register ann example.org secret >/dev/null 2>&1
ok "systemd and Prosody run in a container"

# Installed, and not set up

said=$(inside dpkg -i "/opt/packages/$(basename "$first")" 2>&1)
expect "what the installation says" "*three settings*domain and user_domain*/etc/rosterd/xmpp-secret*systemctl start rosterd*" "$said"
is ActiveState inactive
expect "whether it is started at boot" enabled "$(inside systemctl is-enabled rosterd.service)"
expect "whether its socket is" disabled "$(inside systemctl is-enabled rosterd.socket || true)"
modes="$(inside stat -c '%A %U:%G %n' /etc/rosterd /etc/rosterd/rosterd.toml /etc/rosterd/xmpp-secret)"
expect "who may read what" "drwxr-x--- root:rosterd /etc/rosterd
-rw-r----- root:rosterd /etc/rosterd/rosterd.toml
-rw------- root:root /etc/rosterd/xmpp-secret" "$modes"
said=$(inside rosterd check-config 2>&1) && code=0 || code=$?
expect "check-config" "78*3 problems*xmpp.domain*xmpp.secret_file*xmpp-secret is empty*xmpp.user_domain*" "$code $said"
inside rosterd completions bash >/dev/null
ok "installed: not started, and it says what to fill in"

# Two of the three settings are not enough

inside sed -i -e 's/^domain = ""/domain = "queues.example.org"/' -e 's/^user_domain = ""/user_domain = "example.org"/' \
    /etc/rosterd/rosterd.toml
mark
if inside systemctl start rosterd 2>/dev/null; then
    echo "it starts without a secret" >&2
    exit 1
fi
expect "what the log says without a secret" "*xmpp.secret_file: /etc/rosterd/xmpp-secret is empty: write the component secret into it*" \
    "$(since_mark)"
within 10 "the end of it" is ActiveState failed
expect "its exit code" 78 "$(property ExecMainStatus)"
ok "a missing secret is named, and not tried again"

# Set up

inside sh -c "umask 077; echo $secret >/etc/rosterd/xmpp-secret; rosterd check-config >/dev/null"
inside systemctl start rosterd
expect "its state" "active running" "$(property ActiveState) $(property SubState)"
within 30 "the link" link_is_up
ok "active and ready; $(property StatusText)"
echo "$password" | inside rosterd account add acme --password-stdin >/dev/null
edit law
ask -o /dev/null "$api/users" -d name=ann
ask -o /dev/null "$api/queues/2/operators" -d userId=3
in_its_network python3 tests/deploy/client.py ann@example.org secret law@queues.example.org >"$machines/client.log" 2>&1 &
client=$!
within 30 "the queue, open for its follower" heard available
ok "an operator who is there opens a queue for who follows it"
expect "the exposure" "*1.1 OK*" "$(inside systemd-analyze security --no-pager --threshold=12 rosterd | tail -n 1)"
expect "verify" "" "$(inside systemd-analyze verify --man=no rosterd.service rosterd.socket 2>&1)"
ok "systemd-analyze: an exposure of 1.1, and nothing to complain of"

# It does not stay away

edit before-the-crash
pid=$(main_pid)
mark
within 20 "its end by SIGSEGV" has_crashed "$pid"
within 30 "a new start after SIGSEGV" was_started_anew "$pid"
expect "what the log says" "*status=11/SEGV*" "$(since_mark)"
everything_is_there
ok "a crash: it comes back, and everything is there"

edit before-the-restart
inside systemctl restart rosterd
within 30 "HTTPS" serves
everything_is_there
ok "a restart: everything is there"

edit before-the-restore
inside rosterd backup /root/rosterd.backup >/dev/null
edit after-the-backup
inside systemctl stop rosterd
inside sh -c 'cat /root/rosterd.backup | runuser -u rosterd -- rosterd restore --force -' >/dev/null
inside systemctl start rosterd
within 30 "HTTPS" serves
unset 'queues[-1]'
everything_is_there
ok "a backup by root is restored by the service's user: everything of then is there"
expect "when it began" "[1-9]*" "$(inside rosterd metrics | sed -n 's/^process_start_time_seconds //p')"

edit before-the-freeze
expect "the watchdog" 30s "$(property WatchdogUSec)"
pid=$(main_pid)
mark
inside kill -STOP "$pid"
within 90 "a new start after SIGSTOP" was_started_anew "$pid"
expect "what the log says" "*atchdog timeout*" "$(since_mark)"
everything_is_there
ok "frozen: the watchdog ends it, it comes back, and everything is there"

edit before-the-upgrade
pid=$(main_pid)
inside dpkg -i "/opt/packages/$(basename "$second")" >/dev/null 2>&1
expect "the version" 0.1.0-2 "$(inside dpkg-query -W -f '${Version}' rosterd)"
within 30 "the new version" was_started_anew "$pid"
everything_is_there
ok "an upgrade: restarted, and everything is there"

# Reload

certificate() {
    inside openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -set_serial "$1" \
        -keyout /etc/rosterd/key.pem -out /etc/rosterd/cert.pem 2>/dev/null
    inside sh -c 'chown root:rosterd /etc/rosterd/*.pem; chmod 640 /etc/rosterd/*.pem'
}
shown() {
    inside sh -c 'openssl s_client -connect 127.0.0.1:8443 -servername localhost </dev/null 2>/dev/null | openssl x509 -noout -serial'
}
shows() { [ "$(shown 2>/dev/null)" = "serial=$1" ]; }
inside sh -c 'printf "\n[http]\ntls_cert = \"/etc/rosterd/cert.pem\"\ntls_key = \"/etc/rosterd/key.pem\"\n" >>/etc/rosterd/rosterd.toml'
certificate 0x1111
inside systemctl restart rosterd
within 30 "the certificate of ours" shows 1111
certificate 0x2222
pid=$(main_pid)
inside systemctl reload rosterd
expect "the certificate" serial=2222 "$(shown)"
expect "its process" "$pid" "$(main_pid)"
ok "reload: the new certificate is served when it returns"

inside cp -p /etc/rosterd/rosterd.toml /etc/rosterd/rosterd.toml.good
inside sh -c 'echo "no_such_key = 1" >>/etc/rosterd/rosterd.toml'
mark
if inside systemctl reload rosterd 2>/dev/null; then
    echo "a reload of wrong settings succeeds" >&2
    exit 1
fi
expect "what the log says" "*http.no_such_key: there is no such key*" "$(since_mark)"
expect "it goes on" "active $pid" "$(property ActiveState) $(main_pid)"
inside mv /etc/rosterd/rosterd.toml.good /etc/rosterd/rosterd.toml
inside sed -i '/^\[http\]/,$d' /etc/rosterd/rosterd.toml
ok "reload: wrong settings fail it, are named in the log, and the old ones hold"

# Upgrade where the settings are wrong

inside sh -c 'cp -p /etc/rosterd/rosterd.toml /root/good; echo "no_such_key = 1" >>/etc/rosterd/rosterd.toml'
said=$(inside dpkg -i "/opt/packages/$(basename "$second")" 2>&1)
expect "what the upgrade says" "*rosterd was not started anew: *no_such_key*" "$said"
expect "it goes on" "active $pid" "$(property ActiveState) $(main_pid)"
inside cp -p /root/good /etc/rosterd/rosterd.toml
ok "an upgrade to settings that are wrong leaves it running, and says so"

# Stop

inside systemctl restart rosterd
within 30 "the queue, open for its follower" heard available
began=$SECONDS
inside systemctl stop rosterd
took=$((SECONDS - began))
expect "how it ended" "success 0 inactive" "$(property Result) $(property ExecMainStatus) $(property ActiveState)"
[ $took -le 10 ]
within 10 "the queue, closed for its follower" heard unavailable
ok "a stop: clean, in $took s, and followers are told that the queue is closed"

# Loopback only

inside install -D -m 644 /usr/share/doc/rosterd/examples/systemd/loopback-only.conf \
    /etc/systemd/system/rosterd.service.d/loopback-only.conf
inside systemctl daemon-reload
inside systemctl start rosterd
within 30 "the link" link_is_up
everything_is_there
expect "the exposure" "*0.9 SAFE*" "$(inside systemd-analyze security --no-pager --threshold=9 rosterd | tail -n 1)"
ok "with the drop-in for loopback it serves there, at an exposure of 0.9"

# The socket

inside systemctl stop rosterd
inside systemctl enable --quiet --now rosterd.socket
api=https://localhost:443/2011-12-03
expect "who asks before it runs" "*\"law\"*" "$(ask "$api/queues")"
is ActiveState active
inside systemctl restart --no-block rosterd
everything_is_there
inside systemctl disable --quiet --now rosterd.socket
inside systemctl restart rosterd
api=https://localhost:8443/2011-12-03
within 30 "HTTPS" serves
ok "its socket takes port 443, starts it, and has who asks wait while it is restarted"

# The log

log=$(inside journalctl -q --no-pager -o cat -u rosterd)
for bad in panicked "$secret" "$password" '$argon2' $'\e' 'blob data'; do
    if grep -nF -- "$bad" <<<"$log" >&2; then
        echo "the log says: $bad" >&2
        exit 1
    fi
done
expect "what it says first" "*rosterd starts version=*https=*domain=\"queues.example.org\"*" "$log"
# What went wrong on purpose, and nothing else, is worth a warning.
warned=$(grep -E '^[^ ]+ +(WARN|ERROR) ' <<<"$log" | grep -v no_such_key || true)
expect "warnings in the log" "" "$warned"
ok "the log: $(wc -l <<<"$log") lines, no panic, no secret, no escapes"

# Remove, install again, purge

edit before-the-removal
inside dpkg -r rosterd >/dev/null
expect "what is left" "/etc/rosterd/rosterd.toml /etc/rosterd/xmpp-secret /var/lib/rosterd" \
    "$(inside sh -c 'ls -d /etc/rosterd/rosterd.toml /etc/rosterd/xmpp-secret /var/lib/rosterd | xargs')"
inside dpkg -i "/opt/packages/$(basename "$second")" >/dev/null 2>&1
within 30 "HTTPS" serves
everything_is_there
ok "removed and installed again: it starts, and everything is there"

# What an administrator has put there stays.
inside sh -c 'rm -f /etc/rosterd/*.pem'
inside dpkg -P rosterd >/dev/null
expect "what is left" "" "$(inside sh -c 'ls -d /etc/rosterd /var/lib/rosterd /run/rosterd /usr/share/doc/rosterd /usr/bin/rosterd 2>/dev/null' || true)"
expect "units" "" "$(inside systemctl list-unit-files --no-legend 'rosterd*')"
expect "its user, who stays" "rosterd" "$(inside id -un rosterd)"
inside dpkg -i "/opt/packages/$(basename "$first")" >/dev/null 2>&1
is ActiveState inactive
ok "purged: nothing is left but the user, and it can be installed anew"
