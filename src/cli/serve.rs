//! `rosterd serve`.

use anyhow::Context;

use super::Failure;
use crate::{app, config::Settings, telemetry};

pub(super) fn run(settings: Settings) -> Result<(), Failure> {
    telemetry::start(&settings.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("could not start")?;
    Ok(runtime.block_on(app::serve(settings))?)
}
