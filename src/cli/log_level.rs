//! `rosterd log-level`.

use clap::Args;
use hyper::Method;

use super::{Failure, daemon, say};
use crate::{
    config::{Directives, Settings},
    http::admin,
};

const PATH: &str = "/log-level";

/// What is changed lasts until the daemon is restarted, or reads its configuration anew.
#[derive(Debug, Args)]
pub(super) struct LogLevel {
    /// What to log: off, error, warn, info, debug or trace; or levels by module, such as `info,rosterd::xmpp=debug`.
    #[arg(value_name = "LEVEL", value_parser = Directives::parse)]
    level: Option<Directives>,
    /// Log what the configuration says.
    #[arg(long, conflicts_with = "level")]
    reset: bool,
}

impl LogLevel {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let wanted = self.level.map(|level| admin::LogLevelWanted { level: level.to_string() });
        let method = match &wanted {
            Some(_) => Method::PUT,
            None if self.reset => Method::DELETE,
            None => Method::GET,
        };
        let admin::LogLevel { level, configured } = daemon::ask_running_at(settings, method, PATH, wanted.as_ref())?;
        say(&level);
        if level != configured {
            say(format_args!(
                "This lasts until rosterd is restarted or reads its configuration anew, which says {configured}; \
                 `rosterd log-level --reset` goes back to that."
            ));
        }
        Ok(())
    }
}
