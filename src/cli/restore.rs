//! `rosterd restore`.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::PathBuf,
};

use anyhow::{Context, anyhow};
use clap::Args;

use super::{Code, Failure, daemon, say, terminal, written::is_stdout};
use crate::{
    app,
    clock::{self, Clock},
    config::Settings,
    domain::Record,
    store::{
        Backup, SledStore,
        dump::{self, DumpError, Tally},
    },
};

/// Put a backup in the place of what is stored, while rosterd does not run. Exports are taken, too, of every version.
///
/// The whole file is checked before anything is touched. It is all or nothing, whatever ends it and whenever; the store that there was is kept
/// under another name. Afterwards rosterd starts as it was when the backup was made: sessions and tokens are good
/// again that were, and those that came later are not there.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The file to read, as `rosterd backup` or `rosterd export` wrote it; standard input when it is `-`.
    file: PathBuf,
    /// Where there is a store already, rename that and go on.
    #[arg(long)]
    force: bool,
    /// Take a file that was saved from a damaged store (`rosterd doctor --salvage`), without what its first line says is missing.
    #[arg(long)]
    accept_losses: bool,
}

impl Restore {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let Self { file, force, accept_losses } = &self;
        app::not_as_root(&settings.store.path)?;
        not_while_it_runs(settings)?;
        let bar = terminal::counting("reading");
        let (mut backup, tally) = self.read(|lines| bar.set_position(lines))?;
        let losses = backup.head.lost.len();
        if losses > 0 && !accept_losses {
            let what = "it was saved from a damaged store, and is incomplete";
            return Err(
                self.damaged(anyhow!("{what}: {}. Say --accept-losses to go on without", backup.head.lost.join("; ")))
            );
        }
        backup.records.sort_by_cached_key(Record::key);
        let twice = backup.records.windows(2).find(|pair| matches!(pair, [one, next] if one.key() == next.key()));
        if let Some([record, ..]) = twice {
            return Err(self.damaged(anyhow!("{:?} is there twice", record.key())));
        }
        if !backup.is_in_order() {
            return Err(self.damaged(anyhow!("the numbers of the entries of its audit log are out of order")));
        }
        app::desk_of(settings, backup.records.clone()).map_err(|what| self.damaged(anyhow!(what)))?;
        bar.set_message("storing");
        let written = backup.head.written;
        let ending = clock::write(Clock::System.now()).replace(['-', ':'], "");
        let ending = format!("before-restore-{ending}");
        let store = &settings.store;
        let aside = SledStore::restore(&store.path, store.min_free, backup, *force, &ending)
            .map_err(|error| Failure::from(error).about("nothing was restored".to_owned()))?;
        bar.finish_and_clear();
        let from = match written {
            Some(written) => format!("{}, which was made at {}", file.display(), clock::write(written)),
            None => format!("{}, which is an export, and has no audit log", file.display()),
        };
        let Tally { records, entries, .. } = tally;
        say(format_args!("{records} records and {entries} entries of the audit log restored from {from}"));
        if losses > 0 {
            say(format_args!("what its first line says is missing ({losses}) is not there"));
        }
        if let Some(aside) = aside {
            say(format_args!("what was there before is kept in {}", aside.display()));
        }
        Ok(())
    }

    fn read(&self, progress: impl FnMut(u64)) -> Result<(Backup, Tally), Failure> {
        if is_stdout(&self.file) {
            return read(io::stdin().lock(), progress).map_err(|error| self.damaged(error.into()));
        }
        let file = File::open(&self.file).with_context(|| format!("could not read {}", self.file.display()))?;
        read(BufReader::new(file), progress).map_err(|error| self.damaged(error.into()))
    }

    fn damaged(&self, error: anyhow::Error) -> Failure {
        Failure::new(Code::Data, error.context(format!("nothing was restored: {}", self.file.display())))
    }
}

fn read(input: impl BufRead, mut progress: impl FnMut(u64)) -> Result<(Backup, Tally), DumpError> {
    let (mut backup, mut lines) = (Backup::default(), 0);
    let (head, tally) = dump::read_parts(input, |part| {
        backup.take(part);
        lines += 1;
        progress(lines);
    })?;
    backup.head = head;
    Ok((backup, tally))
}

/// The store's lock says so too, but the file would have been read for nothing.
fn not_while_it_runs(settings: &Settings) -> Result<(), Failure> {
    let stream = daemon::runtime()?.block_on(daemon::connect(&settings.admin.socket))?;
    let Some(stream) = stream else { return Ok(()) };
    let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
    let process = pid.map_or(String::new(), |pid| format!(" (process {pid})"));
    let what = anyhow!("nothing was restored: rosterd runs{process}, and has to be stopped first");
    Err(Failure::new(Code::InUse, what))
}
