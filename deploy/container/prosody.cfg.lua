-- Prosody in a container, for deploy/compose.yml. The secret and the domains come from the environment.

daemonize = false
pidfile = "/run/prosody/prosody.pid"
data_path = "/var/lib/prosody"
log = { { levels = { min = "info" }, to = "console" } }

modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "posix" }
-- Without a certificate people could log in without TLS: put one into /var/lib/prosody/certs, named after the domain.
certificates = "/var/lib/prosody/certs"
c2s_require_encryption = true
s2s_require_encryption = true
-- Nobody outside: only this server's people, and rosterd.
modules_disabled = { "s2s" }

-- rosterd is another container, on a network that nobody else is in.
component_interfaces = { "0.0.0.0" }

VirtualHost(ENV_USER_DOMAIN)

Component(ENV_COMPONENT_DOMAIN)
    component_secret = ENV_COMPONENT_SECRET
