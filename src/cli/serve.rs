//! `rosterd serve`.

use std::path::PathBuf;

use anyhow::Context;

use super::Failure;
use crate::{app, config::Settings, lifecycle::sockets::Sockets, telemetry};

/// `config` is the file that `settings` were read from, where another one was named than the usual one.
pub(super) fn run(settings: Settings, config: Option<PathBuf>) -> Result<(), Failure> {
    let levels = telemetry::start(&settings.log);
    let sockets = Sockets::take()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("could not start")?;
    let served = runtime.block_on(app::serve(settings, config, sockets, levels));
    // A disk that hangs does not keep the process from its end: nothing was acknowledged that it has not taken.
    runtime.shutdown_timeout(app::THREADS_MOST);
    Ok(served?)
}
