//! `rosterd export`.

use std::path::PathBuf;

use clap::Args;

use super::{
    Failure, say,
    written::{self, is_stdout},
};
use crate::{config::Settings, http::admin::Form};

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The file to write; standard output when it is `-`. It holds the hashes of passwords and sessions: keep it safe.
    file: PathBuf,
}

impl Export {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let written = written::write(settings, Form::Export, &self.file, true)?;
        if !is_stdout(&self.file) {
            say(format_args!("{} records exported to {}", written.tally.records, self.file.display()));
        }
        Ok(())
    }
}
