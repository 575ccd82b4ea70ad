//! What a certificate says of itself.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::{Duration, SystemTime},
};

use rustls::pki_types::CertificateDer;
use tracing::{info, warn};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

/// How long before its end a certificate is warned of, and one of our own renewed.
pub(super) const SOON: Duration = Duration::from_hours(14 * 24);
/// The most names that are written out.
const NAMES_MOST: usize = 8;

/// Until when a certificate holds, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) until: SystemTime,
    /// DNS names and addresses, as they stand in it.
    names: Vec<String>,
}

impl Facts {
    /// `None` if it can not be read.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = parse_x509_certificate(certificate).ok()?;
        let until = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
        let alternative = certificate.subject_alternative_name().ok().flatten();
        let names = alternative.iter().flat_map(|names| &names.value.general_names).filter_map(in_text).collect();
        Some(Self { until: SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(until))?, names })
    }

    /// Whether it speaks for anybody.
    pub(super) fn is_named(&self) -> bool {
        !self.names.is_empty()
    }

    /// How long it holds yet; nothing when that is over.
    pub(super) fn left(&self, now: SystemTime) -> Duration {
        self.until.duration_since(now).unwrap_or_default()
    }

    /// `is valid until 2027-01-31T12:00:00Z for chat.example.org`
    pub(super) fn in_words(&self, now: SystemTime) -> String {
        let verb = if self.left(now).is_zero() { "expired at" } else { "is valid until" };
        format!("{verb} {} for {}", self.until(), self.names())
    }

    /// Says in the log what is served from now on, and what is to be done about it.
    pub(super) fn log(&self, path: &std::path::Path, now: SystemTime) {
        let (path, until, names) = (path.display(), self.until(), self.names());
        info!(%path, until, names, "certificate read");
        self.warn(now);
    }

    /// Warns if it has expired, or soon will.
    pub(super) fn warn(&self, now: SystemTime) {
        let left = self.left(now);
        if left.is_zero() {
            warn!(
                until = self.until(),
                "the certificate has expired: clients refuse it, so put a new one in its place"
            );
        } else if left < SOON {
            let days = left.as_secs() / (24 * 3_600);
            warn!(until = self.until(), days, "the certificate expires soon: put a new one in its place");
        }
    }

    fn until(&self) -> String {
        humantime::format_rfc3339_seconds(self.until).to_string()
    }

    fn names(&self) -> String {
        let more = self.names.len().saturating_sub(NAMES_MOST);
        let shown: Vec<_> = self.names.iter().take(NAMES_MOST).map(String::as_str).collect();
        match (shown.is_empty(), more) {
            (true, _) => "no name".to_owned(),
            (false, 0) => shown.join(", "),
            (false, more) => format!("{} and {more} more", shown.join(", ")),
        }
    }
}

fn in_text(name: &GeneralName<'_>) -> Option<String> {
    if let GeneralName::DNSName(name) = name {
        return Some(name.escape_default().to_string());
    }
    let GeneralName::IPAddress(bytes) = name else { return None };
    let v4 = <[u8; 4]>::try_from(*bytes).ok().map(|bytes| Ipv4Addr::from(bytes).to_string());
    v4.or_else(|| <[u8; 16]>::try_from(*bytes).ok().map(|bytes| Ipv6Addr::from(bytes).to_string()))
}
