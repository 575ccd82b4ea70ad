//! `rosterd healthcheck`.

use anyhow::anyhow;

use super::{Code, Failure, daemon, say};
use crate::{
    config::Settings,
    http::admin::{Command, Reply},
};

pub(super) fn run(settings: &Settings) -> Result<(), Failure> {
    match daemon::ask_running(settings, &Command::Ready)? {
        Reply::Ready(reasons) if reasons.is_empty() => {
            say("ready");
            Ok(())
        }
        Reply::Ready(reasons) => {
            Err(Failure::new(Code::Unavailable, anyhow!("rosterd is not ready: {}", reasons.join(", "))))
        }
        Reply::Status(_) | Reply::Accounts(_) | Reply::Done => Err(daemon::strange_reply()),
    }
}
