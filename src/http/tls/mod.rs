//! The certificate: the configured one, or one of our own making; read anew when it changes.

mod facts;
mod own;
mod reload;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    version::{TLS12, TLS13},
};

use super::Settings;
use facts::Facts;
pub(super) use reload::{Keeper, Renewal};

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

/// A certificate that can be served with.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    facts: Facts,
}

/// Where the certificate comes from.
#[derive(Debug, Clone)]
enum Source {
    /// Somebody else puts it there, and renews it.
    Given(Files),
    /// We make it, in this folder, for this domain.
    Own { folder: PathBuf, domain: Box<str> },
}

impl Source {
    fn of(settings: &Settings) -> Result<Self, TlsError> {
        match (&settings.tls_cert, &settings.tls_key) {
            (Some(cert), Some(key)) => Ok(Self::Given(Files { cert: cert.clone(), key: key.clone() })),
            (None, None) => Ok(Self::Own { folder: settings.state.join("tls"), domain: settings.domain.clone() }),
            (Some(_), None) => Err(TlsError::Half { given: "tls_cert" }),
            (None, Some(_)) => Err(TlsError::Half { given: "tls_key" }),
        }
    }

    fn files(&self) -> Files {
        match self {
            Self::Given(files) => files.clone(),
            Self::Own { folder, .. } => own::files(folder),
        }
    }

    /// Reads it. One of our own that is not there, does not fit, or ends soon, is made anew.
    fn load(&self, now: SystemTime) -> Result<Loaded, TlsError> {
        match self {
            Self::Given(files) => read(files),
            Self::Own { folder, domain } => own::load(folder, domain, now),
        }
    }
}

/// What there is to know of a certificate whose key fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// `is valid until 2027-01-31T12:00:00Z for chat.example.org`
    pub says: String,
    /// How long it holds yet; nothing when that is over.
    pub left: Duration,
    /// Whether that is less than what the log warns of.
    pub ends_soon: bool,
    /// Whether it speaks for any name.
    pub is_named: bool,
}

/// Reads a certificate and its key, and says what they are: until when, and for which names.
///
/// # Errors
/// A file, and what is wrong with it.
pub fn check_certificate(cert: &Path, key: &Path) -> Result<Checked, TlsError> {
    let Loaded { facts, .. } = read(&Files { cert: cert.into(), key: key.into() })?;
    let now = SystemTime::now();
    let left = facts.left(now);
    Ok(Checked { says: facts.in_words(now), left, ends_soon: left < facts::SOON, is_named: facts.is_named() })
}

/// Where the certificate of our own making and its key are, in the state folder `state`.
#[must_use]
pub fn own_certificate(state: &Path) -> [PathBuf; 2] {
    let Files { cert, key } = own::files(&state.join("tls"));
    [cert, key]
}

fn read(files: &Files) -> Result<Loaded, TlsError> {
    let Files { cert, key } = files;
    let chain = read_pem(cert, "certificate", |text| {
        let chain = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>()?;
        if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) }
    })?;
    let damaged = || TlsError::NotPem { what: "certificate", path: cert.clone(), why: "it is damaged" };
    let facts = chain.first().and_then(Facts::of).ok_or_else(damaged)?;
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
    Ok(Loaded { config: Arc::new(config), facts })
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

#[cfg(test)]
mod tests;
