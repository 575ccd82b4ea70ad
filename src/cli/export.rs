//! `rosterd export`.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;

use super::{Failure, daemon, say, terminal};
use crate::{
    app::{self, Core},
    config::Settings,
    domain::Record,
    store::dump,
};

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The file to write; standard output when it is `-`. It holds the hashes of passwords and sessions: keep it safe.
    file: PathBuf,
}

impl Export {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let records = records(settings)?;
        let bar = terminal::bar("exporting", records.len() as u64);
        let progress = |done| bar.set_position(done);
        if self.file == Path::new("-") {
            let out = io::BufWriter::new(io::stdout().lock());
            dump::write_records(&records, out, progress).context("could not write the export")?;
        } else {
            dump::write_file(&self.file, &records, progress)
                .with_context(|| format!("could not write the export to {}", self.file.display()))?;
        }
        bar.finish_and_clear();
        if self.file != Path::new("-") {
            say(format_args!("{} records exported to {}", records.len(), self.file.display()));
        }
        Ok(())
    }
}

/// Everything that is stored, from the daemon where it runs.
fn records(settings: &Settings) -> Result<Vec<Record>, Failure> {
    daemon::runtime()?.block_on(async {
        match daemon::connect(&settings.admin.socket).await? {
            Some(stream) => daemon::export(stream).await,
            None => Ok(Core::open(settings)?.run_for(async |handle| app::records(&handle)).await),
        }
    })
}
