//! The certificate: until when, for whom, and whether its key fits.

use super::finding::Finding;
use crate::{
    config::Settings,
    http::{check_certificate, own_certificate},
    telemetry,
};

pub(super) fn look_at(settings: &Settings) -> Finding {
    const CHECK: &str = "certificate";
    let (files, is_own) = match (&settings.http.tls_cert, &settings.http.tls_key) {
        (Some(cert), Some(key)) => ([cert.clone(), key.clone()], false),
        _ => (own_certificate(&settings.store.path), true),
    };
    let [cert, key] = files;
    if is_own && !cert.exists() {
        return Finding::ok(CHECK, "none is configured: rosterd makes one for itself when it starts");
    }
    let renew = if is_own { "restart rosterd, which makes it anew" } else { "put a new one in its place" };
    match check_certificate(&cert, &key) {
        Err(error) => Finding::problem(CHECK, telemetry::chain(&error), renew),
        Ok(it) => {
            let what = format!("{} {}", cert.display(), it.says);
            match () {
                () if it.left.is_zero() => Finding::problem(CHECK, what, renew),
                () if it.ends_soon => Finding::warning(CHECK, what, renew),
                () if !it.is_named => {
                    Finding::warning(CHECK, what, "have one made that names this host: clients refuse this one")
                }
                () => Finding::ok(CHECK, what),
            }
        }
    }
}
