//! `rosterd backup`.

use std::path::PathBuf;

use clap::Args;

use super::{
    Failure, say,
    written::{self, Written, is_stdout},
};
use crate::{config::Settings, http::admin::Form};

/// Write everything that makes up this rosterd to a file, whether it runs or not: accounts, users, queues, who staffs what, followers,
/// sessions, tokens, the audit log, and the certificate and key that rosterd made for itself. `rosterd restore` puts it back.
///
/// It is as everything was at one moment, and nobody waits for it. The configuration, the component's secret and a certificate
/// that somebody else made are not in it: they are files of yours.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file to write; standard output when it is `-`. Only its owner can read it. It holds the hashes of passwords,
    /// sessions and tokens, and a private key: keep it safe.
    file: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    force: bool,
}

impl Backup {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let Self { file, force } = self;
        let written = written::write(settings, Form::Backup, &file, force)
            .map_err(|failure| failure.hint_when("already exists", "say --force to replace it"))?;
        if !is_stdout(&file) {
            let Written { tally, bytes } = written;
            say(format_args!(
                "{} records and {} entries of the audit log backed up to {} ({bytes} bytes)",
                tally.records,
                tally.entries,
                file.display()
            ));
        }
        Ok(())
    }
}
