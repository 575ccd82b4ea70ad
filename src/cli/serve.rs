//! `rosterd serve`.

use anyhow::Context;

use super::Failure;
use crate::{app, config::Settings, lifecycle::sockets::Sockets, telemetry};

pub(super) fn run(settings: Settings) -> Result<(), Failure> {
    let levels = telemetry::start(&settings.log);
    let sockets = Sockets::take()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("could not start")?;
    let served = runtime.block_on(app::serve(settings, sockets, levels));
    // A disk that hangs does not keep the process from its end: nothing was acknowledged that it has not taken.
    runtime.shutdown_timeout(app::THREADS_MOST);
    Ok(served?)
}
