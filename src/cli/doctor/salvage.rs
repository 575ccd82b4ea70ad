//! The way out of a damaged store where there is no backup: what can be read is saved, and what can not is named.

use std::{io::Write, path::Path};

use anyhow::{Context, anyhow};

use super::{
    super::{Code, Failure, daemon, say},
    stored::Copied,
};
use crate::{
    app,
    config::Settings,
    store::{Salvaged, SledStore, dump},
};

/// Writes what can be read of the store to `file`, and what can not be to standard error, too.
pub(super) fn run(settings: &Settings, file: &Path) -> Result<(), Failure> {
    if daemon::runtime()?.block_on(daemon::connect(&settings.admin.socket))?.is_some() {
        return Err(Failure::new(Code::InUse, anyhow!("nothing was saved: rosterd runs, and has to be stopped first")));
    }
    let (state, failed) = (&settings.store.path, |what: String| Failure::new(Code::Store, anyhow!(what)));
    let copy = Copied::make(state).map_err(|finding| failed(format!("nothing was saved: {}", finding.what)))?;
    let copy = copy.ok_or_else(|| failed(format!("there is no store in {}", state.display())))?;
    let salvaged = copy.asked(SledStore::salvage);
    let Salvaged { records, mut lost } = salvaged
        .map_err(|what| failed(format!("nothing can be saved, since the store can not even be opened: {what}")))?;
    let (records, unfit) = app::what_fits(settings, records);
    lost.extend(unfit);
    dump::write_whole(file, false, |out| dump::write_salvaged(&records, &lost, out))
        .with_context(|| format!("nothing was written to {}", file.display()))?;
    for what in &lost {
        // Nobody may read it, and it stands in the file.
        let _ = writeln!(std::io::stderr(), "lost: {what}");
    }
    let (count, file) = (records.len(), file.display());
    say(format_args!("{count} records saved to {file}, without the audit log"));
    match lost.len() {
        0 => Ok(()),
        losses => {
            let what = anyhow!(
                "what could not be saved: {losses}, named above and in the first line of {file}. \
                 `rosterd restore --force --accept-losses {file}` goes on without"
            );
            Err(Failure::new(Code::Warnings, what))
        }
    }
}
