//! `rosterd reload`.

use std::{path::Path, time::Duration};

use clap::Args;
use hyper::Method;

use super::{Failure, daemon, say};
use crate::config::{self, Reloaded};

/// How long it may take: with a million users everybody is looked at.
const MOST: Duration = Duration::from_mins(1);

/// Returns when the daemon goes by the new configuration, and says what has changed. Where something is wrong with it, or the
/// certificate can not be used, nothing changes. SIGHUP does the same, and the log says what became of it.
#[derive(Debug, Args)]
pub(super) struct Reload {}

impl Reload {
    /// `config` is where to find the daemon; which file it reads, it knows.
    pub(super) fn run(self, config: Option<&Path>) -> Result<(), Failure> {
        let Self {} = self;
        let socket = config::admin_socket(config)?;
        let read = daemon::ask_running_on(&socket, Method::POST, "/reload", None::<&()>, MOST);
        let Reloaded { taken, waiting } = read?;
        for change in &taken {
            say(change);
        }
        for change in &waiting {
            say(format_args!("{change} (needs a restart)"));
        }
        if taken.is_empty() && waiting.is_empty() {
            say("no key has changed; the certificate was read anew");
        }
        Ok(())
    }
}
