//! A store made from a backup.

use std::path::{Path, PathBuf};

use super::{CHUNK, COUNTS_KEY, Counts, Fault, SledStore, Writes, apply, audit, guarded, scan, start};
use crate::{
    domain::{Noted, Record, Write},
    store::{
        StoreError,
        audit::Span,
        dump::{Head, Kept, Part},
        folder::Folder,
        record::Owners,
    },
};

/// What a backup or an export holds.
#[derive(Debug, Default)]
pub struct Backup {
    /// What its first line says.
    pub head: Head,
    /// The records.
    pub records: Vec<Record>,
    /// The audit log with the numbers of its entries, the oldest first.
    pub audit: Vec<(u64, Noted)>,
    /// Files of the state folder.
    pub files: Vec<Kept>,
}

impl Backup {
    /// Whether its audit log can be one: each entry has a higher number than the one before it, and the next will.
    #[must_use]
    pub fn is_in_order(&self) -> bool {
        let numbers = self.audit.iter().map(|(number, _)| *number);
        numbers.chain(self.head.next).is_sorted_by(|one, next| one < next)
    }

    /// Takes one more line of it.
    pub fn take(&mut self, part: Part) {
        match part {
            Part::Record(record) => self.records.push(record),
            Part::Noted(number, noted) => self.audit.push((number, noted)),
            Part::File(file) => self.files.push(file),
        }
    }
}

impl SledStore {
    /// Makes a store from `backup` in the state folder `path`, all or nothing, whatever ends the program and whenever: as soon as
    /// the store is opened again it is the new one, or else the old one still. One that was there is kept as `store.` and
    /// `ending`; gives back its path.
    ///
    /// # Errors
    /// [`StoreError::There`] where there is a store that is not to be replaced (`replace`), and as [`SledStore::open`].
    pub fn restore(
        path: &Path,
        min_free: u64,
        backup: Backup,
        replace: bool,
        ending: &str,
    ) -> Result<Option<PathBuf>, StoreError> {
        let folder = Folder::take(path, min_free)?;
        if !replace && folder.has_store()? {
            return Err(StoreError::There(folder.store()));
        }
        folder.check_room()?;
        let Backup { head, records, audit, files } = backup;
        folder.replace(ending, &files, |new| fill(&folder, new, (records, audit), head.next))
    }
}

/// Writes everything into a new database, reads it back, and tells how many commits that were.
fn fill(
    folder: &Folder,
    path: &Path,
    (records, entries): (Vec<Record>, Vec<(u64, Noted)>),
    next: Option<u64>,
) -> Result<u64, StoreError> {
    let db = start(folder, path)?;
    let behind = entries.last().map_or(0, |(number, _)| number + 1);
    let next = next.unwrap_or_default().max(behind);
    let first = entries.first().map_or(next, |(number, _)| *number);
    // Whose entries there are is found out when the store is opened.
    let mut counts = Counts { audit: Span { first, next }, ..Counts::default() };
    let mut puts = records.into_iter().map(Write::Put);
    loop {
        let chunk: Vec<_> = puts.by_ref().take(CHUNK).collect();
        counts = guarded(folder, || {
            let counts = apply(&db, &chunk, &Writes::new(), &counts)?;
            db.flush().map(|_| counts)
        })?;
        if chunk.len() < CHUNK {
            break;
        }
    }
    for chunk in entries.chunks(CHUNK) {
        let entry = |(number, noted): &(u64, Noted)| (audit::key(*number).to_vec(), Some(audit::write(*number, noted)));
        let chunk: Writes = chunk.iter().map(entry).collect();
        counts = guarded(folder, || {
            let counts = apply(&db, &[], &chunk, &counts)?;
            db.flush().map(|_| counts)
        })?;
    }
    let found = guarded(folder, || Ok(scan(db.range(COUNTS_KEY..audit::START), &mut Owners::new())))?;
    let checked = found.and_then(|(_, found)| counts.compare(&found).map_err(Fault::Found));
    let unreadable = |what| StoreError::Damaged { path: path.to_owned(), what };
    match checked {
        Ok(()) => Ok(counts.commits),
        Err(Fault::Found(what)) => Err(unreadable(what)),
        Err(Fault::Sled(error)) => Err(unreadable(error.to_string())),
    }
}

mod tests;
