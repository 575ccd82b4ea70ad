//! The certificate: the configured one, or one of our own making.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    version::{TLS12, TLS13},
};
use tracing::info;

use super::Settings;

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Only one of the two files is configured.
    #[error("[http] tls_cert and tls_key belong together, but only {given} is set: set both, or neither")]
    Half {
        /// The key that is set.
        given: &'static str,
    },
    /// A file can not be read.
    #[error("could not read the {what} from {path}: check that the file is there and that rosterd may read it")]
    Unreadable {
        /// `certificate` or `private key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{path} holds no {what} in the PEM format: {why}")]
    NotPem {
        /// `certificate` or `private key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The two do not go together, or one is of a kind that is not supported.
    #[error("the certificate in {cert} can not be used with the private key in {key}")]
    Unusable {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What the TLS library said.
        source: rustls::Error,
    },
    /// A certificate of our own could not be made.
    #[error("could not make a self-signed certificate")]
    NotMade(#[source] rcgen::Error),
    /// A certificate of our own could not be kept.
    #[error("could not write {path}: check that rosterd may write to the state folder ([store] path)")]
    NotWritten {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The TLS library can not work on this machine.
    #[error("TLS can not be set up")]
    Setup(#[source] rustls::Error),
}

/// The files of a certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
}

/// Reads the certificate that `settings` name, or the self-signed one, which is made where there is none.
pub(super) fn load(settings: &Settings) -> Result<Arc<ServerConfig>, TlsError> {
    let files = match (&settings.tls_cert, &settings.tls_key) {
        (Some(cert), Some(key)) => Files { cert: cert.clone(), key: key.clone() },
        (None, None) => self_signed(settings)?,
        (Some(_), None) => return Err(TlsError::Half { given: "tls_cert" }),
        (None, Some(_)) => return Err(TlsError::Half { given: "tls_key" }),
    };
    serve_with(&files).map(Arc::new)
}

fn serve_with(files: &Files) -> Result<ServerConfig, TlsError> {
    let Files { cert, key } = files;
    let chain = read_pem(cert, "certificate", |text| {
        let chain = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>()?;
        if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) }
    })?;
    let secret = read_pem(key, "private key", PrivateKeyDer::from_pem_slice)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::Setup)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|source| TlsError::Unusable { cert: cert.clone(), key: key.clone(), source })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Pages that poll come back by ticket, which costs no signature and no memory here.
    config.ticketer = ring::Ticketer::new().map_err(TlsError::Setup)?;
    Ok(config)
}

fn read_pem<T>(
    path: &Path,
    what: &'static str,
    parse: impl FnOnce(&[u8]) -> Result<T, pem::Error>,
) -> Result<T, TlsError> {
    let text = fs::read(path).map_err(|source| TlsError::Unreadable { what, path: path.into(), source })?;
    parse(&text).map_err(|error| TlsError::NotPem { what, path: path.into(), why: in_words(&error) })
}

fn in_words(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::NoItemsFound => "there is none in it",
        pem::Error::MissingSectionEnd { .. } => "it breaks off",
        pem::Error::IllegalSectionStart { .. } => "a line with BEGIN is broken",
        pem::Error::Base64Decode(_) => "there are characters in it that do not belong there",
        pem::Error::Io(_) | pem::Error::SectionTooLarge | _ => "it is damaged",
    }
}

fn self_signed(settings: &Settings) -> Result<Files, TlsError> {
    let folder = settings.state.join("tls");
    let files = Files { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
    let is_there = files.cert.exists() && files.key.exists();
    if !is_there {
        make(&folder, &files, &settings.domain)?;
    }
    let (path, made) = (files.cert.display(), !is_there);
    info!(%path, made, "no certificate is configured: a self-signed one is served");
    Ok(files)
}

fn make(folder: &Path, files: &Files, domain: &str) -> Result<(), TlsError> {
    let key = KeyPair::generate().map_err(TlsError::NotMade)?;
    let mut params = CertificateParams::new(names(domain)).map_err(TlsError::NotMade)?;
    params.distinguished_name.push(DnType::CommonName, "rosterd, self-signed");
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
fn names(domain: &str) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;
    use crate::{http::testing, telemetry};

    fn settings(state: &TempDir, cert: Option<&str>, key: Option<&str>) -> Settings {
        let path = |name: &str| state.path().join(name);
        Settings { state: state.path().into(), tls_cert: cert.map(path), tls_key: key.map(path), ..testing::settings() }
    }

    #[test]
    fn a_self_signed_certificate_is_made_once() {
        let state = TempDir::new().unwrap();
        let settings = settings(&state, None, None);
        let config = load(&settings).unwrap();
        assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
        let files = [state.path().join("tls/cert.pem"), state.path().join("tls/key.pem")];
        let modes = files.each_ref().map(|path| fs::metadata(path).unwrap().permissions().mode() & 0o777);
        assert_eq!(modes[1], 0o600, "nobody else reads the key");
        assert_eq!(fs::read_dir(state.path().join("tls")).unwrap().count(), 2, "nothing else is left there");
        let first = files.each_ref().map(|path| fs::read(path).unwrap());
        load(&settings).unwrap();
        assert_eq!(files.each_ref().map(|path| fs::read(path).unwrap()), first);
        fs::remove_file(&files[0]).unwrap();
        load(&settings).unwrap();
        assert!(files[0].exists(), "half a pair is made anew");
    }

    #[test]
    fn the_certificate_names_this_machine_and_the_queues() {
        let names = names("queues.example.org");
        for name in ["localhost", "127.0.0.1", "::1", "queues.example.org"] {
            assert!(names.iter().any(|other| other == name), "{name} in {names:?}");
        }
        assert!(CertificateParams::new(names).is_ok());
        assert!(
            !super::names("queues.bücher.example").iter().any(|name| name.contains('ü')),
            "which no certificate may hold"
        );
        assert_eq!(super::names("localhost").iter().filter(|name| *name == "localhost").count(), 1);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let state = TempDir::new().unwrap();
        let other = TempDir::new().unwrap();
        load(&settings(&state, None, None)).unwrap();
        load(&settings(&other, None, None)).unwrap();
        fs::copy(other.path().join("tls/key.pem"), state.path().join("other.pem")).unwrap();
        fs::write(state.path().join("garbled.pem"), "-----BEGIN CERTIFICATE-----\n???\n").unwrap();
        fs::write(state.path().join("empty.pem"), "").unwrap();
        let check = |cert, key| {
            let error = load(&settings(&state, cert, key)).unwrap_err();
            telemetry::chain(&error).replace(state.path().to_str().unwrap(), "STATE")
        };
        let (cert, key) = (Some("tls/cert.pem"), Some("tls/key.pem"));
        insta::assert_snapshot!(check(cert, None), @"[http] tls_cert and tls_key belong together, but only tls_cert is set: set both, or neither");
        insta::assert_snapshot!(check(None, key), @"[http] tls_cert and tls_key belong together, but only tls_key is set: set both, or neither");
        insta::assert_snapshot!(check(Some("none.pem"), key), @"could not read the certificate from STATE/none.pem: check that the file is there and that rosterd may read it: No such file or directory (os error 2)");
        insta::assert_snapshot!(check(cert, Some("none.pem")), @"could not read the private key from STATE/none.pem: check that the file is there and that rosterd may read it: No such file or directory (os error 2)");
        insta::assert_snapshot!(check(Some("empty.pem"), key), @"STATE/empty.pem holds no certificate in the PEM format: there is none in it");
        insta::assert_snapshot!(check(cert, Some("empty.pem")), @"STATE/empty.pem holds no private key in the PEM format: there is none in it");
        insta::assert_snapshot!(check(Some("garbled.pem"), key), @"STATE/garbled.pem holds no certificate in the PEM format: it breaks off");
        insta::assert_snapshot!(check(key, cert), @"STATE/tls/key.pem holds no certificate in the PEM format: there is none in it");
        insta::assert_snapshot!(check(cert, Some("other.pem")), @"the certificate in STATE/tls/cert.pem can not be used with the private key in STATE/other.pem: keys may not be consistent: KeyMismatch");
    }

    #[test]
    fn a_state_folder_that_can_not_be_written() {
        let state = TempDir::new().unwrap();
        fs::write(state.path().join("tls"), "in the way").unwrap();
        let error = load(&settings(&state, None, None)).unwrap_err();
        let text = telemetry::chain(&error).replace(state.path().to_str().unwrap(), "STATE");
        insta::assert_snapshot!(text, @"could not write STATE/tls: check that rosterd may write to the state folder ([store] path): File exists (os error 17)");
    }
}
