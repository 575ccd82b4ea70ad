//! `rosterd healthcheck`.

use anyhow::anyhow;

use super::{Code, Failure, daemon, say};
use crate::{
    config::Settings,
    http::admin::{Command, Reply},
};

pub(super) fn run(settings: &Settings) -> Result<(), Failure> {
    let Reply::Ready(reasons) = daemon::ask_running(settings, &Command::Ready)? else {
        return Err(daemon::strange_reply());
    };
    if reasons.is_empty() {
        say("ready");
        return Ok(());
    }
    Err(Failure::new(Code::Unavailable, anyhow!("rosterd is not ready: {}", reasons.join(", "))))
}
