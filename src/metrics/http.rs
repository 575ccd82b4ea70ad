//! HTTP: what is asked, who is let in, and what the certificate says.

use std::time::{Duration, SystemTime};

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, Registry};

use super::family::Family;

const REQUESTS: Family = Family::counter(
    "rosterd_http_requests_total",
    "Requests that were answered, by family of resources and status.",
    &["family", "status"],
);
const DURATION: Family = Family::histogram(
    "rosterd_http_request_duration_seconds",
    "How long it took from the head of a request to the head of its answer, by family of resources.",
    &["family"],
    &[0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0],
);
const CONNECTIONS: Family = Family::gauge("rosterd_http_connections", "Connections over TCP that are open.", &[]);
const ACCEPTED: Family = Family::counter(
    "rosterd_http_connections_total",
    "Connections over TCP that came: taken, refused since there was no seat, or closed to make room for another one.",
    &["result"],
);
const LOGINS: Family = Family::counter(
    "rosterd_logins_total",
    "Passwords and tokens that were shown, by what became of it: throttled ones were not looked at.",
    &["result"],
);
const CERTIFICATE: Family = Family::gauge(
    "rosterd_tls_certificate_expiry_timestamp_seconds",
    "When the certificate that is served expires.",
    &[],
);

pub(super) const FAMILIES: [Family; 6] = [REQUESTS, DURATION, CONNECTIONS, ACCEPTED, LOGINS, CERTIFICATE];

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// The API of our own.
    V1,
    /// The one that is compatible with `LibraryH3lp`.
    LibraryH3lp,
    /// Public presence.
    Presence,
    /// Health checks.
    Health,
    /// The description of what there is.
    Docs,
    /// Metrics over TCP.
    Metrics,
    /// The admin socket.
    Admin,
    /// What there is not.
    None,
}

impl Api {
    const NAMES: [&'static str; 8] = ["v1", "libraryh3lp", "presence", "health", "docs", "metrics", "admin", "none"];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seated {
    /// It was taken.
    Taken,
    /// There was no seat.
    Refused,
    /// It had to go, so that somebody else could have its seat.
    Evicted,
}

/// What became of a password or a token that somebody showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// It was right.
    Accepted,
    /// It was wrong.
    Refused,
    /// It was not looked at, since too much was wrong of late.
    Throttled,
    /// It was not looked at, since too many waited.
    Busy,
}

/// What is counted of HTTP.
#[derive(Debug)]
pub struct Http {
    requests: IntCounterVec,
    duration: [Histogram; Api::NAMES.len()],
    connections: IntGauge,
    seated: [IntCounter; 3],
    logins: [IntCounter; 4],
    certificate: IntGauge,
}

impl Http {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            requests: REQUESTS.counts(registry),
            duration: DURATION.times_each(registry, Api::NAMES),
            connections: CONNECTIONS.level(registry),
            seated: ACCEPTED.count_each(registry, ["taken", "refused", "evicted"]),
            logins: LOGINS.count_each(registry, ["accepted", "refused", "throttled", "busy"]),
            certificate: CERTIFICATE.level(registry),
        }
    }

    /// A request was answered with this status, which is one of ours.
    pub fn answered(&self, api: Api, status: &str, took: Duration) {
        self.requests.with_label_values(&[api.as_str(), status]).inc();
        self.duration[api as usize].observe(took.as_secs_f64());
    }

    /// What became of a connection.
    pub fn seated(&self, how: Seated) {
        self.seated[how as usize].inc();
    }

    /// So many connections more than before are open.
    pub fn connections(&self, more: i64) {
        self.connections.add(more);
    }

    /// What became of a password or a token.
    pub fn login(&self, how: Login) {
        self.logins[how as usize].inc();
    }

    /// A certificate is served that holds until then.
    pub fn certificate(&self, until: SystemTime) {
        let until = until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.certificate.set(i64::try_from(until.as_secs()).unwrap_or(i64::MAX));
    }
}
