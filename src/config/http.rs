//! `[http]`: the HTTPS listener, and the one for public presence without TLS.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;

use super::reader::{self, Given, Key, Reader, Secrets, Taken};

/// `[http]`.
#[derive(Debug, Clone)]
pub struct Http {
    /// Where HTTPS is served.
    pub listen: SocketAddr,
    /// Where public presence, and nothing else, is served without TLS too.
    pub public_listen: Option<SocketAddr>,
    /// Where metrics, and nothing else, are served without TLS.
    pub metrics_listen: Option<SocketAddr>,
    /// The certificate chain, PEM. With neither this nor a key, a self-signed one is made.
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub tls_key: Option<PathBuf>,
    /// Whether a queue's `chat` is published as `available` in the public presence formats.
    pub presence_cap: bool,
    /// Whether the presence of people is public too.
    pub presence_of_users: bool,
    /// How long a login lasts without being used.
    pub session_idle: Duration,
    /// How long a login lasts however much it is used; nothing: for ever.
    pub session_max: Duration,
    /// How long a password that was right with HTTP Basic is not checked again; nothing: each time.
    pub basic_cache: Duration,
    /// How many attempts of an address may fail at once.
    pub attempts_per_address: u32,
    /// How many attempts to log in with a name may fail at once.
    pub attempts_per_name: u32,
    /// How long it takes until there is one more attempt.
    pub attempt_every: Duration,
    /// The reverse proxies whose word about who asks is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they say it.
    pub proxy_header: ProxyHeader,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How many connections there may be.
    pub max_connections: usize,
    /// How many of them from one address, but for those from this machine.
    pub max_connections_per_address: usize,
    /// How long browsers are told to come by HTTPS only.
    pub hsts: Duration,
}

/// The header in which a reverse proxy says for whom it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeader {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ProxyHeader {
    const ALL: [Self; 2] = [Self::XForwardedFor, Self::Forwarded];

    const fn as_str(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

const LISTEN: Key = Key {
    path: "http.listen",
    value: Given::Default("\"127.0.0.1:8443\""),
    taken: Taken::AtStart,
    doc: "Address and port of the HTTPS listener.",
};
const PUBLIC_LISTEN: Key = Key {
    path: "http.public_listen",
    value: Given::Optional("\"127.0.0.1:8080\""),
    taken: Taken::AtStart,
    doc: "Address and port of a second listener without TLS, which serves /presence and nothing else: for pages that \
          are not on HTTPS themselves, or for a proxy on this machine. Without it there is none.",
};
const METRICS_LISTEN: Key = Key {
    path: "http.metrics_listen",
    value: Given::Optional("\"127.0.0.1:9187\""),
    taken: Taken::AtStart,
    doc: "Address and port of a listener without TLS that serves /metrics to Prometheus, and nothing else, without login: not \
          to be reached from everywhere. Without it metrics are served on the admin socket only (`rosterd metrics`).",
};
const TLS_CERT: Key = Key {
    path: "http.tls_cert",
    value: Given::Optional(r#""/etc/rosterd/cert.pem""#),
    taken: Taken::AtStart,
    doc: "The certificate chain, a PEM file. Without it and tls_key, a self-signed certificate is made in the state \
          folder at the first start.",
};
const TLS_KEY: Key = Key {
    path: "http.tls_key",
    value: Given::Optional(r#""/etc/rosterd/key.pem""#),
    taken: Taken::AtStart,
    doc: "The private key of the certificate, a PEM file.",
};
const PRESENCE_CAP: Key = Key {
    path: "http.presence_cap",
    value: Given::Default("true"),
    taken: Taken::AtOnce,
    doc: "Publish `chat` as `available` under /presence: many pages know no other word for open. The authenticated API \
          always shows the true word.",
};
const PRESENCE_OF_USERS: Key = Key {
    path: "http.presence_of_users",
    value: Given::Default("false"),
    taken: Taken::AtOnce,
    doc: "Publish the presence of people under /presence too, to anybody. Otherwise they are always `unavailable` there.",
};
const SESSION_IDLE: Key = Key {
    path: "http.session_idle",
    value: Given::Default("\"30days\""),
    taken: Taken::AtOnce,
    doc: "How long a login lasts without being used.",
};
const SESSION_MAX: Key = Key {
    path: "http.session_max",
    value: Given::Default("\"365days\""),
    taken: Taken::AtOnce,
    doc: "How long a login lasts however much it is used; \"0s\" is for ever.",
};
const BASIC_CACHE: Key = Key {
    path: "http.basic_cache",
    value: Given::Default("\"5min\""),
    taken: Taken::AtOnce,
    doc: "How long a password that was right with HTTP Basic is not checked again, which is slow on purpose. Another password \
          or the end of the login counts at once all the same. \"0s\": it is checked each time. An hour at the most.",
};
const ATTEMPTS_PER_ADDRESS: Key = Key {
    path: "http.attempts_per_address",
    value: Given::Default("20"),
    taken: Taken::AtOnce,
    doc: "How many logins of one address (of IPv6: of one /64) may be wrong at once, and, counted apart, how many tokens. After \
          that there is one more attempt every attempt_every; meanwhile the answer is 429. Who is logged in goes on. Of an IPv6 \
          /48 eight times as many logins may be wrong, and eight come back in that time.",
};
const ATTEMPTS_PER_NAME: Key = Key {
    path: "http.attempts_per_name",
    value: Given::Default("10"),
    taken: Taken::AtOnce,
    doc: "The same of logins with one name, from all addresses together. Those where the login has been let in before are \
          not concerned, so that nobody can be locked out.",
};
const ATTEMPT_EVERY: Key = Key {
    path: "http.attempt_every",
    value: Given::Default("\"6s\""),
    taken: Taken::AtOnce,
    doc: "How long it takes until there is one more attempt. A minute at the most.",
};
const TRUSTED_PROXIES: Key = Key {
    path: "http.trusted_proxies",
    value: Given::Default("[]"),
    taken: Taken::AtOnce,
    doc: "The reverse proxies in front of rosterd, as addresses or networks, such as [\"127.0.0.1\", \"10.0.0.0/8\"]: what they \
          say about who asks is believed, and of nobody else.",
};
const PROXY_HEADER: Key = Key {
    path: "http.proxy_header",
    value: Given::Default("\"x-forwarded-for\""),
    taken: Taken::AtOnce,
    doc: "The header in which they say it: \"x-forwarded-for\" or \"forwarded\" (RFC 7239). They have to write it themselves: \
          another one they may pass through from anybody.",
};
const REQUEST_TIMEOUT: Key = Key {
    path: "http.request_timeout",
    value: Given::Default("\"30s\""),
    taken: Taken::AtOnce,
    doc: "How long a request may take, its body included.",
};
const MAX_CONNECTIONS: Key = Key {
    path: "http.max_connections",
    value: Given::Default("4096"),
    taken: Taken::AtStart,
    doc: "How many connections there may be. One more takes the place of the one that was idle longest, or of one \
          whose client is slow. Fewer where the process may not open that many files, which the log says.",
};
const MAX_CONNECTIONS_PER_ADDRESS: Key = Key {
    path: "http.max_connections_per_address",
    value: Given::Default("256"),
    taken: Taken::AtStart,
    doc: "How many of them may come from one address (of IPv6: one /64), but for addresses of this machine. Behind a reverse \
          proxy on another machine all come from that one: set this as high as max_connections.",
};
const HSTS: Key = Key {
    path: "http.hsts",
    value: Given::Default("\"365days\""),
    taken: Taken::AtOnce,
    doc: "How long browsers are told to use nothing but HTTPS with this host, on whatever port (Strict-Transport-Security). \
          \"0s\" where something on the same host is to be reached without: browsers then forget what they were told.",
};

pub(super) const KEYS: &[Key] = &[
    LISTEN,
    PUBLIC_LISTEN,
    METRICS_LISTEN,
    TLS_CERT,
    TLS_KEY,
    PRESENCE_CAP,
    PRESENCE_OF_USERS,
    SESSION_IDLE,
    SESSION_MAX,
    BASIC_CACHE,
    ATTEMPTS_PER_ADDRESS,
    ATTEMPTS_PER_NAME,
    ATTEMPT_EVERY,
    TRUSTED_PROXIES,
    PROXY_HEADER,
    REQUEST_TIMEOUT,
    MAX_CONNECTIONS,
    MAX_CONNECTIONS_PER_ADDRESS,
    HSTS,
];

impl Http {
    /// Takes over what need not wait for a restart.
    pub(super) fn take_over(&mut self, new: &Self) {
        let old = self.clone();
        *self = Self {
            listen: old.listen,
            public_listen: old.public_listen,
            metrics_listen: old.metrics_listen,
            tls_cert: old.tls_cert,
            tls_key: old.tls_key,
            max_connections: old.max_connections,
            max_connections_per_address: old.max_connections_per_address,
            ..new.clone()
        };
    }

    pub(super) fn read(keys: &mut Reader) -> Option<Self> {
        let listen = keys.take(&LISTEN, reader::address);
        let public_listen = keys.take(&PUBLIC_LISTEN, reader::address);
        let metrics_listen = keys.take(&METRICS_LISTEN, reader::address);
        for (one, other) in [(&TLS_CERT, &TLS_KEY), (&TLS_KEY, &TLS_CERT)] {
            if keys.is_set(one) && !keys.is_set(other) {
                keys.problem(other, format!("has to be set together with {}", one.path));
            }
        }
        let look = match keys.secrets() {
            Secrets::Read(_) => readable,
            Secrets::LeftAlone => reader::path,
        };
        let tls_cert = keys.take(&TLS_CERT, look);
        let tls_key = keys.take(&TLS_KEY, look);
        let presence_cap = keys.take(&PRESENCE_CAP, reader::flag);
        let presence_of_users = keys.take(&PRESENCE_OF_USERS, reader::flag);
        let session_idle = keys.take(&SESSION_IDLE, reader::some_time);
        let session_max = keys.take(&SESSION_MAX, reader::duration);
        let basic_cache = keys.take(&BASIC_CACHE, reader::an_hour_at_most);
        let attempts_per_address = keys.take(&ATTEMPTS_PER_ADDRESS, reader::number);
        let attempts_per_name = keys.take(&ATTEMPTS_PER_NAME, reader::number);
        let attempt_every = keys.take(&ATTEMPT_EVERY, a_minute_at_most);
        let trusted_proxies = keys.take(&TRUSTED_PROXIES, networks);
        let proxy_header = keys.take(&PROXY_HEADER, reader::choice(&ProxyHeader::ALL, ProxyHeader::as_str));
        let request_timeout = keys.take(&REQUEST_TIMEOUT, reader::some_time);
        let max_connections = keys.take(&MAX_CONNECTIONS, count);
        let max_connections_per_address = keys.take(&MAX_CONNECTIONS_PER_ADDRESS, count);
        let hsts = keys.take(&HSTS, reader::duration);
        Some(Self {
            listen: listen?,
            public_listen,
            metrics_listen,
            tls_cert,
            tls_key,
            presence_cap: presence_cap?,
            presence_of_users: presence_of_users?,
            session_idle: session_idle?,
            session_max: session_max?,
            basic_cache: basic_cache?,
            attempts_per_address: attempts_per_address?,
            attempts_per_name: attempts_per_name?,
            attempt_every: attempt_every?,
            trusted_proxies: trusted_proxies?,
            proxy_header: proxy_header?,
            request_timeout: request_timeout?,
            max_connections: max_connections?,
            max_connections_per_address: max_connections_per_address?,
            hsts: hsts?,
        })
    }
}

fn count(value: ::config::Value) -> Result<usize, String> {
    reader::number(value).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
}

/// So that nobody is kept out for long.
fn a_minute_at_most(value: ::config::Value) -> Result<Duration, String> {
    let length = reader::some_time(value)?;
    if length > Duration::from_mins(1) { Err("is too long: \"1min\" at the most".to_owned()) } else { Ok(length) }
}

/// Addresses, and networks.
fn networks(value: ::config::Value) -> Result<Vec<IpNet>, String> {
    let network = |word: String| {
        // Peers are compared as IPv4 where they are mapped into IPv6.
        let address = || word.parse().map(|address: IpAddr| IpNet::from(address.to_canonical())).ok();
        let network = word.parse().ok().or_else(address);
        network.ok_or_else(|| format!("{word:?} is neither an address nor a network, such as \"10.0.0.0/8\""))
    };
    reader::words(value)?.into_iter().filter(|word| !word.is_empty()).map(network).collect()
}

fn readable(value: ::config::Value) -> Result<PathBuf, String> {
    let path = reader::path(value)?;
    match std::fs::File::open(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(format!("could not read {}: {error}", path.display())),
    }
}
