//! `rosterd import`.

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;

use super::{Code, Failure, daemon, say, terminal};
use crate::{
    app::Core,
    config::Settings,
    domain::{Edit, Record},
    engine::Handle,
    store::dump,
};

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The file to read, as `rosterd export` wrote it; standard input when it is `-`.
    file: PathBuf,
}

impl Import {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let records = self.read()?;
        let count = records.len();
        let bar = terminal::waiting("storing");
        daemon::runtime()?.block_on(async {
            if let Some(stream) = daemon::connect(&settings.admin.socket).await? {
                return daemon::import(stream, &records).await;
            }
            let import = async |handle: Handle| handle.edit(daemon::me(), Edit::Import { records }).await;
            Core::open(settings)?.run_for(import).await.context("nothing was imported")?;
            Ok(())
        })?;
        bar.finish_and_clear();
        say(format_args!("{count} records imported"));
        Ok(())
    }

    fn read(&self) -> Result<Vec<Record>, Failure> {
        let damaged = |error| {
            let what = format!("nothing was imported: {}", self.file.display());
            Failure::new(Code::Data, anyhow::Error::new(error).context(what))
        };
        if self.file == Path::new("-") {
            return dump::read_records(io::stdin().lock(), |_| ()).map_err(damaged);
        }
        let open = || -> io::Result<(File, u64)> {
            let file = File::open(&self.file)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (file, length) = open().with_context(|| format!("could not read {}", self.file.display()))?;
        let bar = terminal::bytes_bar("reading", length);
        let records = dump::read_records(BufReader::new(bar.wrap_read(file)), |_| ()).map_err(damaged)?;
        bar.finish_and_clear();
        Ok(records)
    }
}
