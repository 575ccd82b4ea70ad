//! Settings that may change while they are in use: each request is served by what they are when it comes.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Settings, Site, tls::Renewal};

/// The settings as they are now.
#[derive(Debug, Clone)]
pub(super) struct Current(Arc<RwLock<Arc<Settings>>>);

impl Current {
    pub(super) fn new(settings: Settings) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(settings))))
    }

    pub(super) fn get(&self) -> Arc<Settings> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The way to change what a server serves by, while it serves.
#[derive(Debug, Clone)]
pub struct Control {
    pub(super) current: Current,
    /// Who is kept out, where there are logins.
    pub(super) site: Option<Site>,
    /// Where there is a certificate.
    pub(super) renewal: Option<Renewal>,
}

impl Control {
    /// Reads the certificate anew, if there is one, whatever its files look like; returns when it is served.
    ///
    /// # Errors
    /// Why it can not be used, in words for an administrator: the old one is served on.
    pub async fn renew_certificate(&self) -> Result<(), String> {
        match &self.renewal {
            Some(renewal) => renewal.ask().await,
            None => Ok(()),
        }
    }

    /// Serves by these settings from the next request on. Where it listens, how many connections there may be, and the files
    /// of the certificate stay as they are.
    pub fn take_over(&self, settings: Settings) {
        if let Some(site) = &self.site {
            site.doors.take_over(&settings.access);
        }
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}
