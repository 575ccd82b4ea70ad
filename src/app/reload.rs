//! The settings read anew while the daemon runs: by SIGHUP, or `rosterd reload`. All of them are taken over that need no restart,
//! or where anything is wrong, none.

use std::path::PathBuf;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{rules, web_settings};
use crate::{
    config::{self, Reloaded, Settings},
    engine::Handle,
    http::{self, admin::ReloadAsked},
    lifecycle::notify,
    store::Bounds,
    telemetry::{self, Levels},
};

/// How many may wait for the settings to be read anew; others wait for their turn to wait.
pub(super) const ASKS: usize = 8;

/// Who reads the settings anew.
pub(super) struct Reloader {
    /// The file, where another one was named than the usual one.
    pub(super) file: Option<PathBuf>,
    /// What the daemon goes by.
    pub(super) running: Settings,
    pub(super) limits: http::Limits,
    pub(super) engine: Handle,
    /// HTTPS, and public presence where it is served.
    pub(super) web: Vec<http::Control>,
    pub(super) store: Bounds,
    pub(super) levels: Levels,
}

impl Reloader {
    /// Reads them when somebody asks, or `signal` changes, one time after the other, until `stop`. Whoever waits then is told
    /// nothing.
    pub(super) async fn run(
        mut self,
        mut asks: mpsc::Receiver<ReloadAsked>,
        mut signal: watch::Receiver<()>,
        stop: CancellationToken,
    ) {
        loop {
            let asked = tokio::select! {
                Some(asked) = asks.recv() => Some(asked),
                Ok(()) = signal.changed() => None,
                () = stop.cancelled() => return,
            };
            notify::reloading();
            let read = tokio::select! {
                read = self.reload() => read,
                () = stop.cancelled() => return,
            };
            notify::reloaded();
            report(&read);
            if let Some(asked) = asked {
                // Who asked may have gone.
                let _ = asked.send(read);
            }
        }
    }

    async fn reload(&mut self) -> Result<Reloaded, String> {
        let file = self.file.clone();
        // Files may be on a disk that is away.
        let loading = tokio::task::spawn_blocking(move || config::load(file.as_deref()));
        let loaded = loading.await.map_err(|error| error.to_string())?;
        let new = loaded.map_err(|problems| problems.to_string())?;
        for web in &self.web {
            web.renew_certificate().await.map_err(|why| format!("{why}. Nothing was taken over"))?;
        }
        let mut running = self.running.clone();
        let reloaded = running.take_over(new);
        self.apply(&running).await?;
        self.running = running;
        Ok(reloaded)
    }

    /// Has everybody go by these.
    async fn apply(&self, settings: &Settings) -> Result<(), String> {
        self.engine.settle(rules(settings)).await.map_err(|error| error.to_string())?;
        for web in &self.web {
            web.take_over(web_settings(settings, self.limits));
        }
        self.store.set_min_free(settings.store.min_free);
        self.store.set_audit_most(settings.audit.max_entries.into());
        self.levels.configure(settings.log.level.clone()).map_err(|error| telemetry::chain(&error))
    }
}

fn report(read: &Result<Reloaded, String>) {
    match read {
        Ok(Reloaded { taken, waiting }) => {
            for config::Change { key, from, to } in taken {
                info!(key, from, to, "setting taken over");
            }
            for config::Change { key, from, to } in waiting {
                warn!(key, from, to, "setting changed, which needs a restart: the old one holds until then");
            }
            info!(taken = taken.len(), waiting = waiting.len(), "configuration and certificate read anew");
        }
        Err(why) => error!(error = why, "the configuration was not read anew: everything stays as it was"),
    }
}
