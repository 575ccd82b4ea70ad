//! `rosterd check-config`.

use clap::Args;

use super::{Failure, say};
use crate::config::{self, Settings};

#[derive(Debug, Args)]
pub(super) struct CheckConfig {
    /// Print a file with every key, commented, with its default, instead.
    #[arg(long)]
    example: bool,
}

impl CheckConfig {
    pub(super) fn run(self, settings: impl FnOnce() -> Result<Settings, Failure>) -> Result<(), Failure> {
        if self.example {
            say(config::example().trim_end());
            return Ok(());
        }
        settings()?;
        say("the configuration is good");
        Ok(())
    }
}
