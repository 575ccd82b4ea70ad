//! `rosterd metrics`.

use super::{Failure, daemon, say};
use crate::config::Settings;

pub(super) fn run(settings: &Settings) -> Result<(), Failure> {
    say(daemon::metrics(settings)?.trim_end());
    Ok(())
}
