//! The certificate of our own making, for as long as none is configured.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    time::{Duration, SystemTime},
};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd};
use tracing::{info, warn};

use super::{Files, Loaded, TlsError, facts::SOON, read};

/// How long it holds: as long as every client accepts.
const LASTS: Duration = Duration::from_hours(800 * 24);
/// How long before it is made it holds already, for clients whose clocks are behind.
const EARLIER: Duration = Duration::from_hours(24);

pub(super) fn files(folder: &Path) -> Files {
    Files { cert: folder.join("cert.pem"), key: folder.join("key.pem") }
}

/// Reads the pair in `folder`; makes it anew where there is none, where a crash left two halves that do not fit, and where it
/// ends soon.
pub(super) fn load(folder: &Path, domain: &str, now: SystemTime) -> Result<Loaded, TlsError> {
    let files = files(folder);
    let path = files.cert.display();
    match read(&files) {
        Ok(loaded) if loaded.facts.left(now) >= SOON => Ok(loaded),
        Ok(old) => {
            info!(%path, "the self-signed certificate ends soon: it is made anew");
            made(folder, &files, domain, now).or_else(|error| {
                warn!(error = %crate::telemetry::chain(&error), "the old certificate is served on");
                Ok(old)
            })
        }
        Err(error) if is_for_us(&error) => {
            let is_new = !files.cert.exists() && !files.key.exists();
            if !is_new {
                warn!(error = %crate::telemetry::chain(&error), "the self-signed certificate is made anew");
            }
            let loaded = made(folder, &files, domain, now)?;
            info!(%path, "no certificate is configured: a self-signed one was made");
            Ok(loaded)
        }
        Err(error) => Err(error),
    }
}

/// Whether another pair would help: not where something is the matter with the disk or with permissions.
fn is_for_us(error: &TlsError) -> bool {
    match error {
        TlsError::Unreadable { source, .. } => {
            matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        }
        TlsError::NotPem { .. } | TlsError::Unusable { .. } => true,
        TlsError::Half { .. } | TlsError::NotMade(_) | TlsError::NotWritten { .. } | TlsError::Setup(_) => false,
    }
}

fn made(folder: &Path, files: &Files, domain: &str, now: SystemTime) -> Result<Loaded, TlsError> {
    make(folder, files, domain, now)?;
    read(files)
}

/// The key comes first: where this breaks off, the two do not fit, and are made anew by who comes next.
pub(super) fn make(folder: &Path, files: &Files, domain: &str, now: SystemTime) -> Result<(), TlsError> {
    let key = KeyPair::generate().map_err(TlsError::NotMade)?;
    let mut params = CertificateParams::new(names(domain)).map_err(TlsError::NotMade)?;
    params.distinguished_name.push(DnType::CommonName, "rosterd, self-signed");
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    params.not_before = date_time_ymd(1970, 1, 1) + since.saturating_sub(EARLIER);
    params.not_after = date_time_ymd(1970, 1, 1) + since + LASTS;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let cert = params.self_signed(&key).map_err(TlsError::NotMade)?;
    let not_written = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::NotWritten { path, source }
    };
    fs::DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(not_written(folder))?;
    write(&files.key, 0o600, key.serialize_pem().as_bytes()).map_err(not_written(&files.key))?;
    write(&files.cert, 0o644, cert.pem().as_bytes()).map_err(not_written(&files.cert))
}

/// Whom the certificate speaks for: this machine by every name that a client on it may use.
pub(super) fn names(domain: &str) -> Vec<String> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    for name in [host.trim(), domain] {
        let is_dns = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
        if is_dns && !name.is_empty() && names.iter().all(|other| other != name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Writes a file that is there whole or not at all.
fn write(path: &Path, mode: u32, text: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}
