//! The store on disk, in sled 0.34. Nothing else names sled.
//!
//! What may be relied on, and what makes it so:
//!
//! - **A commit that returned survives a loss of power.** `flush` of this release only hands its writes to the kernel, so its file
//!   is synced behind it, by a descriptor of our own; and no record is large enough to go past that file.
//! - **A commit is there as a whole or not at all.** Up to [`CHUNK`] writes are one transaction. A larger change is first written as a
//!   whole to a file beside the database, and from then on made in chunks; when it is broken off, the next opening makes it again from
//!   the start, which gives the same, since each write says what is to be there and not what is to be changed.
//!   (One huge transaction would hold gigabytes in memory. A mark "unfinished" alone would do for an import, which can be begun anew, but
//!   not for the removal of an account, where the choice would be between a store that is half there and an old export.)
//! - **No loss is silent.** Each record has a checksum. A record of our own, written in each transaction, counts records and commits;
//!   the first number is compared with what is found, the second with one kept outside of the database.
//! - **A commit that failed in the middle is the last one.** What the database then holds in memory is not known to be what it holds on disk.

use std::{
    any::Any,
    convert::Infallible,
    error::Error as _,
    fs::{self, File},
    io::{self, BufReader},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use ::sled::{
    Db,
    transaction::{ConflictableTransactionError, TransactionError, TransactionalTree, UnabortableTransactionError},
};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::{
    Store, StoreError, Trail,
    audit::{self, Span},
    dump,
    folder::{self, Acknowledged, Folder},
    record::{self, KINDS, Owners, Unreadable},
};
use crate::domain::{Noted, Record, UnixTime, Write};

/// The most writes that are made in one transaction.
pub const CHUNK: usize = 4_096;

/// Bytes that sled may keep in memory besides what it needs.
const CACHE: u64 = 32 << 20;

/// sled writes what is larger than a quarter of a segment to files of their own, in `blobs`. It does not sync these, and removes the old
/// one before the log that makes it superfluous is on disk: a loss of power then takes records along that were acknowledged long ago.
/// So nothing may be that large. A page holds about 20 records, or about 320 keys, of which none is much above 2 KiB.
const SEGMENT: usize = 4 << 20;

/// The most bytes that are kept under one key. A value goes on under further keys as long as its parts are of just this length.
const PART: usize = 32 << 10;

/// The most entries of the audit log that are taken out at a time.
const FORGET_MOST: usize = 1_000;

/// Where the counts are kept: before all records.
const COUNTS_KEY: [u8; 1] = [0];

/// A store on disk.
#[derive(Debug)]
pub struct SledStore {
    // Closed before the folder is given up.
    db: Db,
    file: File,
    acknowledged: Acknowledged,
    counts: Counts,
    trail: Arc<Shown>,
    /// The most entries of the audit log.
    audit_most: u64,
    failed: Option<String>,
    folder: Folder,
}

/// What was there after the last commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    /// Transactions since the store was made.
    commits: u64,
    /// Records of each kind.
    #[serde(deserialize_with = "of_all_kinds")]
    records: [u64; KINDS.len()],
    /// Whether a part of a large change is made, and the rest is not.
    pending: bool,
    /// The audit log.
    #[serde(default)]
    audit: Span,
}

/// A store of an earlier version knew fewer kinds, of which there are none then.
fn of_all_kinds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u64; KINDS.len()], D::Error> {
    let mut known = Vec::deserialize(deserializer)?;
    known.resize(known.len().max(KINDS.len()), 0);
    known.try_into().map_err(|_| de::Error::custom("it counts kinds of records that there are not"))
}

impl SledStore {
    /// Opens the store in the state folder `path`, and makes both where they are missing. A large change that was broken off is
    /// finished. No commit is made when fewer than `min_free` bytes are free; with 16 MiB or more, a store that has stopped for this reason
    /// can still be opened and read.
    ///
    /// # Errors
    /// When another process has the store, when what is there is not a store of ours or is damaged, or when the operating system refuses.
    pub fn open(path: &Path, min_free: u64) -> Result<Self, StoreError> {
        let folder = Folder::take(path, min_free)?;
        folder.prepare(|new| {
            let db = start(&folder, new)?;
            guarded(&folder, || {
                db.insert(COUNTS_KEY, record::seal(&COUNTS_KEY, &Counts::default()))?;
                db.flush()
            })?;
            Ok(())
        })?;
        let store = folder.store();
        let db = start(&folder, &store)?;
        let file = File::open(store.join("db")).map_err(folder::failed("could not open", &store.join("db")))?;
        let counts = guarded(&folder, || db.get(COUNTS_KEY))?;
        let counts = counts.ok_or_else(|| folder.damaged("the record of its counts is missing".to_owned()))?;
        let counts: Counts = record::open(&COUNTS_KEY, &counts)
            .map_err(|what| folder.damaged(format!("the record of its counts: {what}")))?;
        let acknowledged = folder.acknowledged()?;
        let trail = Arc::new(Shown { db: db.clone(), store, span: Mutex::default() });
        let (audit_most, failed) = (audit::MOST, None);
        let mut opened = Self { db, file, acknowledged, counts, trail, audit_most, failed, folder };
        opened.check_commits()?;
        opened.finish_pending()?;
        opened.show()?;
        Ok(opened)
    }

    /// The same, where the audit log holds so many entries at the most.
    #[must_use]
    pub fn with_audit_most(self, audit_most: u64) -> Self {
        Self { audit_most, ..self }
    }

    /// Lets the audit log be read as far as it is on disk.
    fn show(&self) -> Result<(), StoreError> {
        let span = self.counts.audit;
        let mut shown = self.trail.span.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.0.first != span.first || shown.1.is_none() {
            let oldest = guarded(&self.folder, || self.db.get(audit::key(span.first)))?;
            let oldest = oldest.map(|value| audit::read(span.first, &value)).transpose();
            shown.1 = oldest.map_err(|what| self.folder.damaged(damaged_entry(span.first, &what)))?.map(|it| it.at);
        }
        shown.0 = span;
        Ok(())
    }

    fn check_commits(&self) -> Result<(), StoreError> {
        let found = self.counts.commits;
        match self.acknowledged.read()? {
            None => Err(self.folder.damaged("its file rosterd-acknowledged can not be read".to_owned())),
            Some(wanted) if found < wanted => {
                Err(self.folder.damaged(format!("it ends after commit {found}, and {wanted} were acknowledged")))
            }
            Some(_) => Ok(()),
        }
    }

    fn finish_pending(&mut self) -> Result<(), StoreError> {
        let path = self.folder.pending();
        let damaged = |what| {
            Err(self.folder.damaged(format!("a large change was broken off, and its file rosterd-pending {what}")))
        };
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.counts.pending => {
                return damaged("is missing".to_owned());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => result.map_err(folder::failed("could not open", &path))?,
        };
        match dump::read_change(BufReader::new(file), self.owners()?) {
            Err(error) => damaged(format!("is damaged: {error}")),
            Ok((change, next)) => {
                // What is made again is numbered again as it was.
                self.counts.audit.next = next.max(self.counts.audit.first);
                self.make(&change)
            }
        }
    }

    /// The accounts that there are.
    fn owners(&self) -> Result<Owners, StoreError> {
        let mut owners = Owners::new();
        let scanned = guarded(&self.folder, || Ok(scan(self.db.range(COUNTS_KEY..record::USERS), &mut owners)))?;
        scanned.map(|_| owners).map_err(|fault| self.in_words(fault))
    }

    fn in_words(&self, fault: Fault) -> StoreError {
        match fault {
            Fault::Found(what) => self.folder.damaged(what),
            Fault::Sled(error) => explain(&self.folder, error),
        }
    }

    /// Makes a large change that lies in its file.
    fn make(&mut self, change: &[Write]) -> Result<(), StoreError> {
        let mut chunks = change.chunks(CHUNK).peekable();
        while let Some(chunk) = chunks.next() {
            self.transact(chunk, chunks.peek().is_some())?;
        }
        self.folder.forget_pending()
    }

    fn commit_large(&mut self, change: &[Write]) -> Result<(), StoreError> {
        let path = self.folder.pending();
        dump::write_change(&path, change, self.counts.audit.next)
            .map_err(|error| self.folder.unwritten("could not write", &path, error))?;
        self.make(change)
    }

    fn transact(&mut self, writes: &[Write], pending: bool) -> Result<(), StoreError> {
        let (db, most) = (&self.db, self.audit_most);
        let counts = guarded(&self.folder, || apply(db, writes, &self.counts, (pending, most)))?;
        guarded(&self.folder, || db.flush())?;
        // What `flush` handed to the kernel is not on disk yet.
        self.file.sync_data().map_err(|error| self.folder.unwritten("could not sync", &self.folder.store(), error))?;
        self.acknowledged.write(counts.commits)?;
        self.counts = counts;
        self.show()
    }
}

impl Store for SledStore {
    fn load(&mut self) -> Result<Vec<Record>, StoreError> {
        let scanned = guarded(&self.folder, || Ok(scan(self.db.range(..audit::START), &mut Owners::new())))?;
        let records = scanned.and_then(|(records, found)| match self.counts.compare(&found) {
            Ok(()) => Ok(records),
            Err(what) => Err(Fault::Found(what)),
        });
        records.map_err(|fault| self.in_words(fault))
    }

    fn commit(&mut self, change: &[Write]) -> Result<(), StoreError> {
        if let Some(cause) = &self.failed {
            return Err(StoreError::Failed { path: self.folder.store(), cause: cause.clone() });
        }
        // Nothing has begun, so this one alone is refused.
        self.folder.check_room()?;
        let result = if change.len() <= CHUNK { self.transact(change, false) } else { self.commit_large(change) };
        self.failed = result.as_ref().err().map(in_words);
        result
    }

    fn trail(&self) -> Arc<dyn Trail> {
        self.trail.clone()
    }
}

/// The audit log as it may be read.
#[derive(Debug)]
struct Shown {
    db: Db,
    store: PathBuf,
    /// What is on disk, and when the oldest of it was made.
    span: Mutex<(Span, Option<UnixTime>)>,
}

impl Trail for Shown {
    fn before(&self, before: Option<u64>, most: usize) -> Result<Vec<(u64, Noted)>, StoreError> {
        let (Span { first, next }, _) = *self.span.lock().unwrap_or_else(PoisonError::into_inner);
        let end = before.map_or(next, |before| before.min(next));
        let read = || {
            let mut found = Vec::new();
            // One that is forgotten meanwhile is passed over, and so are those before it.
            for number in (first..end).rev().take(most) {
                let Some(value) = self.db.get(audit::key(number))? else { break };
                found.push((number, audit::read(number, &value).map_err(|what| damaged_entry(number, &what))));
            }
            Ok(found)
        };
        let damaged = |what| StoreError::Damaged { path: self.store.clone(), what };
        let found = match catch_unwind(AssertUnwindSafe(read)) {
            Ok(found) => found.map_err(|error: ::sled::Error| damaged(error.to_string()))?,
            Err(panic) => return Err(damaged(format!("its audit log can not be read ({})", said(&*panic)))),
        };
        found.into_iter().map(|(number, noted)| noted.map(|noted| (number, noted)).map_err(damaged)).collect()
    }

    fn oldest(&self) -> Option<UnixTime> {
        self.span.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

fn damaged_entry(number: u64, what: &str) -> String {
    format!("entry {number} of the audit log: {what}")
}

impl Counts {
    fn compare(&self, found: &[u64; KINDS.len()]) -> Result<(), String> {
        let differences = KINDS.iter().zip(self.records).zip(found).filter(|((_, wanted), found)| wanted != *found);
        let differences: Vec<_> = differences
            .map(|((kind, wanted), found)| format!("{found} of {wanted} records of the kind {kind}"))
            .collect();
        if differences.is_empty() { Ok(()) } else { Err(format!("there are {}", differences.join(", "))) }
    }
}

fn in_words(error: &StoreError) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// What a scan can meet.
enum Fault {
    Found(String),
    Sled(::sled::Error),
}

/// Everything in this part of the store, with the number of each kind.
fn scan(mut items: ::sled::Iter, owners: &mut Owners) -> Result<(Vec<Record>, [u64; KINDS.len()]), Fault> {
    let mut records = Vec::new();
    let mut found = [0; KINDS.len()];
    let mut last = None;
    while let Some(item) = items.next() {
        let (key, first) = item.map_err(Fault::Sled)?;
        // Pages that are damaged may lead back, and the scan would never end.
        if last.replace(key.clone()).is_some_and(|last| last >= key) {
            return Err(Fault::Found("its keys are out of order".to_owned()));
        }
        if *key != COUNTS_KEY {
            let record = match first.len() {
                PART => record::read(&key, &whole(&mut items, &key, &first)?, owners),
                _ => record::read(&key, &first, owners),
            };
            let record = record.map_err(|error| Fault::Found(error.to_string()))?;
            found[record::kind(&record.key())] += 1;
            records.push(record);
        }
    }
    Ok((records, found))
}

/// Makes these writes, all or nothing, and gives back what is there then.
fn apply(db: &Db, writes: &[Write], before: &Counts, (pending, most): (bool, u64)) -> Result<Counts, ::sled::Error> {
    let made = db.transaction(|tree| {
        let mut counts = Counts { commits: before.commits + 1, pending, ..before.clone() };
        for write in writes {
            match write {
                Write::Put(record) => {
                    let key = record.key();
                    let bytes = record::write_key(&key);
                    let was_there = remove(tree, &bytes)?;
                    insert(tree, &bytes, &record::write_value(record))?;
                    counts.records[record::kind(&key)] += u64::from(!was_there);
                }
                Write::Delete(key) => {
                    let was_there = remove(tree, &record::write_key(key))?;
                    let count = &mut counts.records[record::kind(key)];
                    *count = count.saturating_sub(u64::from(was_there));
                }
                Write::Note(noted) => note(tree, &mut counts.audit, noted, most)?,
                Write::Forget(moment) => forget(tree, &mut counts.audit, *moment)?,
            }
        }
        tree.insert(&COUNTS_KEY, record::seal(&COUNTS_KEY, &counts))?;
        Ok::<_, ConflictableTransactionError<Infallible>>(counts)
    });
    made.map_err(|error| match error {
        TransactionError::Storage(error) => error,
        TransactionError::Abort(never) => match never {},
    })
}

/// Puts an entry behind the others, and takes out the oldest where there would be more than `most`.
fn note(
    tree: &TransactionalTree,
    span: &mut Span,
    noted: &Noted,
    most: u64,
) -> Result<(), UnabortableTransactionError> {
    tree.insert(audit::key(span.next).as_slice(), audit::write(span.next, noted))?;
    span.next += 1;
    // More than one, so that a bound that was lowered is reached after a while.
    for _ in 0..2 {
        if span.next - span.first > most {
            tree.remove(audit::key(span.first).as_slice())?;
            span.first += 1;
        }
    }
    Ok(())
}

/// Takes out some of the oldest entries that were made before `moment`.
fn forget(tree: &TransactionalTree, span: &mut Span, moment: UnixTime) -> Result<(), UnabortableTransactionError> {
    for _ in 0..FORGET_MOST {
        let key = audit::key(span.first);
        let Some(value) = tree.get(key)? else { break };
        // What can not be read is of no use, and goes in its turn.
        if audit::read(span.first, &value).is_ok_and(|noted| noted.at >= moment) {
            break;
        }
        tree.remove(key.as_slice())?;
        span.first += 1;
    }
    Ok(())
}

/// Puts a value, in parts, where there is none.
fn insert(tree: &TransactionalTree, key: &[u8], value: &[u8]) -> Result<(), UnabortableTransactionError> {
    for number in 0..=value.len() / PART {
        let part = &value[number * PART..value.len().min((number + 1) * PART)];
        tree.insert(part_key(key, number), part)?;
    }
    Ok(())
}

/// Removes a value with all of its parts, and tells whether there was one.
fn remove(tree: &TransactionalTree, key: &[u8]) -> Result<bool, UnabortableTransactionError> {
    let first = tree.remove(key)?;
    let was_there = first.is_some();
    let mut last = first;
    for number in 1.. {
        match last {
            Some(part) if part.len() == PART => last = tree.remove(part_key(key, number))?,
            Some(_) | None => break,
        }
    }
    Ok(was_there)
}

/// The rest of a value, whose first part was read.
fn whole(items: &mut ::sled::Iter, key: &[u8], first: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut value = first.to_vec();
    for number in 1.. {
        let next = items.next().transpose().map_err(Fault::Sled)?;
        let part = next.filter(|(found, _)| **found == part_key(key, number));
        let (_, part) =
            part.ok_or_else(|| Fault::Found(Unreadable::new(key, "a part of it is missing").to_string()))?;
        value.extend_from_slice(&part);
        if part.len() < PART {
            break;
        }
    }
    Ok(value)
}

/// Where a part is kept: behind the one before it, and before the next record. (Keys of one kind have one length, but for those
/// with a JID, which has no zero byte.)
fn part_key(key: &[u8], number: usize) -> Vec<u8> {
    match u32::try_from(number) {
        Ok(0) => key.to_vec(),
        Ok(number) => [key, &number.to_be_bytes()].concat(),
        Err(_) => unreachable!("no value has terabytes"),
    }
}

/// Starts sled on a folder that we have.
fn start(folder: &Folder, path: &Path) -> Result<Db, StoreError> {
    folder.await_released(&path.join("db"))?;
    forget_unfinished_snapshots(path).map_err(|error| folder.unwritten("could not tidy up", path, error))?;
    // Without a flusher of its own, sled writes when we say so and at no other time.
    let config = ::sled::Config::new().path(path).segment_size(SEGMENT).cache_capacity(CACHE).flush_every_ms(None);
    guarded(folder, || config.open())
}

/// While it opens, sled writes a snapshot of its page table under another name before it puts it in place. One that a full disk or a loss
/// of power broke off it would take for the newest, and refuse the whole store.
fn forget_unfinished_snapshots(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().ends_with(b".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Runs what calls sled, which panics where it meets pages that it can not read. (So the program has to be built to unwind.)
fn guarded<T>(folder: &Folder, work: impl FnOnce() -> Result<T, ::sled::Error>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| explain(folder, error)),
        Err(panic) => Err(folder.damaged(format!("the database can not make sense of it ({})", said(&*panic)))),
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it does not say why")
}

fn is_gap(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
}

fn explain(folder: &Folder, error: ::sled::Error) -> StoreError {
    match error {
        // A file, or its end, that should be there.
        ::sled::Error::Io(error) if is_gap(&error) => folder.damaged(error.to_string()),
        ::sled::Error::Io(error) => folder.unwritten("could not use the files in", &folder.store(), error),
        ::sled::Error::Unsupported(what) => StoreError::Foreign { path: folder.store(), what },
        ::sled::Error::Corruption { .. } | ::sled::Error::ReportableBug(_) | ::sled::Error::CollectionNotFound(_) => {
            folder.damaged(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::{
        super::record::tests::{of_version, one_of_each, one_of_each_in_version_1, one_of_each_in_version_2},
        *,
    };
    use crate::domain::{AccountId, BareJid, Key, Queue, QueueId, Subscriber, UnixTime};

    #[test]
    fn what_was_committed_is_there_after_reopening() {
        let state = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(state.path(), 0).unwrap();
        assert_eq!(store.load().unwrap(), []);
        store.commit(&puts(one_of_each())).unwrap();
        assert_eq!(store.load().unwrap(), one_of_each());
        drop(store);
        let mut store = SledStore::open(state.path(), 0).unwrap();
        assert_eq!(store.load().unwrap(), one_of_each());
        // Again, and what is not there: neither counts.
        store.commit(&puts(one_of_each())).unwrap();
        store.commit(&[Write::Delete(Key::Account(AccountId::new(9).unwrap()))]).unwrap();
        assert_eq!(store.load().unwrap(), one_of_each());
        let deletes: Vec<_> = one_of_each().iter().map(|record| Write::Delete(record.key())).collect();
        store.commit(&deletes[1..]).unwrap();
        drop(store);
        assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), [Record::NextId(4)]);
    }

    #[test]
    fn stores_of_earlier_versions_are_read_and_go_on() {
        goes_on(1, &one_of_each_in_version_1());
        goes_on(2, &one_of_each_in_version_2());
    }

    fn goes_on(version: u8, holds: &[Record]) {
        let state = tempfile::tempdir().unwrap();
        let store = SledStore::open(state.path(), 0).unwrap();
        for (key, value) in of_version(version) {
            store.db.insert(key, value).unwrap();
        }
        let counts = serde_json::json!({ "commits": 0, "records": [1, 1, 1, 1, 1, 1, 1], "pending": false });
        let mut counts = record::seal(&COUNTS_KEY, &counts);
        counts[0] = version;
        store.db.insert(COUNTS_KEY, counts).unwrap();
        drop(store);
        let mut store = SledStore::open(state.path(), 0).unwrap();
        assert_eq!(store.load().unwrap(), holds);
        store.commit(&puts(one_of_each())).unwrap();
        drop(store);
        assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), one_of_each());
    }

    #[test]
    fn the_last_write_to_a_key_in_a_change_counts() {
        let state = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(state.path(), 0).unwrap();
        let put = |next| Write::Put(Record::NextId(next));
        store.commit(&[put(1), Write::Delete(Key::NextId), put(2), put(3)]).unwrap();
        assert_eq!(store.load().unwrap(), [Record::NextId(3)]);
        store.commit(&[put(4), Write::Delete(Key::NextId)]).unwrap();
        assert_eq!(store.load().unwrap(), []);
    }

    #[test]
    fn a_large_change_is_made_in_chunks() {
        let state = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(state.path(), 0).unwrap();
        let many = many(2 * CHUNK + 1);
        store.commit(&puts(many.clone())).unwrap();
        assert_eq!(store.counts.commits, 3);
        assert!(!store.folder.pending().exists());
        assert_eq!(store.load().unwrap(), many);
        let deletes: Vec<_> = many.iter().map(|record| Write::Delete(record.key())).collect();
        store.commit(&deletes).unwrap();
        drop(store);
        assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), []);
    }

    #[test]
    fn a_large_change_that_was_broken_off_is_finished() {
        let change = puts(many(2 * CHUNK + 1));
        for chunks_made in 0..3 {
            let state = tempfile::tempdir().unwrap();
            broken_off(state.path(), &change, chunks_made);
            let mut store = SledStore::open(state.path(), 0).unwrap();
            assert_eq!(store.load().unwrap(), many(2 * CHUNK + 1));
            assert!(!store.folder.pending().exists() && !store.counts.pending);
        }
    }

    #[test]
    fn a_large_change_that_was_broken_off_and_lost_is_named() {
        let state = tempfile::tempdir().unwrap();
        broken_off(state.path(), &puts(many(CHUNK + 1)), 1);
        let path = state.path().join("store/rosterd-pending");
        let len = path.metadata().unwrap().len();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(len - 3).unwrap();
        refused(state.path(), "its file rosterd-pending is damaged: the file was cut short");
        fs::remove_file(path).unwrap();
        refused(state.path(), "its file rosterd-pending is missing");
    }

    #[test]
    fn records_that_are_missing_or_too_many_are_named() {
        let check = |change: &dyn Fn(&Db), what: &str| {
            let state = filled();
            let store = SledStore::open(state.path(), 0).unwrap();
            change(&store.db);
            drop(store);
            refused(state.path(), what);
        };
        let [.., operator, _, session, _] = &one_of_each()[..] else { unreachable!() };
        let key = |record: &Record| record::write_key(&record.key());
        check(&|db| drop(db.remove(key(session)).unwrap()), "there are 0 of 1 records of the kind session");
        check(
            &|db| {
                let Record::Session(session) = session.clone() else { unreachable!() };
                let other =
                    Record::Session(crate::domain::Session { token: crate::domain::TokenHash([1; 32]), ..session });
                db.insert(key(&other), record::write_value(&other)).unwrap();
            },
            "there are 2 of 1 records of the kind session",
        );
        check(&|db| drop(db.insert(key(operator), "x").unwrap()), "operator 3 of queue 2: there is too little of it");
        check(&|db| drop(db.insert([99], "x").unwrap()), "the unknown key 63: there is too little of it");
        check(&|db| drop(db.remove(COUNTS_KEY).unwrap()), "the record of its counts is missing");
        check(&|db| drop(db.insert(COUNTS_KEY, "x").unwrap()), "the record of its counts: there is too little of it");
    }

    #[test]
    fn commits_that_are_missing_are_named() {
        let state = filled();
        let earlier = tempfile::tempdir().unwrap();
        copy(&state.path().join("store"), &earlier.path().join("store"));
        let mut store = SledStore::open(state.path(), 0).unwrap();
        store.commit(&[Write::Put(Record::NextId(5))]).unwrap();
        drop(store);
        // As when the end of the log is lost, or an old copy of it was put back.
        fs::copy(state.path().join("store/rosterd-acknowledged"), earlier.path().join("store/rosterd-acknowledged"))
            .unwrap();
        refused(earlier.path(), "it ends after commit 1, and 2 were acknowledged");
        fs::write(earlier.path().join("store/rosterd-acknowledged"), "2").unwrap();
        refused(earlier.path(), "its file rosterd-acknowledged can not be read");
        fs::remove_file(earlier.path().join("store/rosterd-acknowledged")).unwrap();
        refused(earlier.path(), "its file rosterd-acknowledged is missing");
    }

    #[test]
    fn nothing_is_written_when_there_is_little_room() {
        let state = filled();
        let mut store = SledStore::open(state.path(), u64::MAX).unwrap();
        let refused = |store: &mut SledStore| {
            let error = store.commit(&[Write::Put(Record::NextId(5))]).unwrap_err();
            assert!(matches!(error, StoreError::Short { floor: u64::MAX, .. }), "{error}");
        };
        refused(&mut store);
        assert_eq!(store.load().unwrap(), one_of_each());
        refused(&mut store);
        // Once there is room, it goes on.
        drop(store);
        SledStore::open(state.path(), 0).unwrap().commit(&[Write::Put(Record::NextId(5))]).unwrap();
    }

    #[test]
    fn a_snapshot_that_was_broken_off_is_passed_over() {
        let state = filled();
        fs::write(state.path().join("store/snap.00000000000F0000.generating"), "half").unwrap();
        assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), one_of_each());
    }

    #[test]
    fn nothing_is_too_large_for_the_log() {
        let state = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(state.path(), 0).unwrap();
        let mut records: Vec<_> = (1..=20).map(|id| queue_of(id, 300_000)).collect();
        let domain = "d".repeat(1_000);
        let jid = |number: u32| BareJid::prepared(&format!("{number}{}@{domain}", "l".repeat(1_000)));
        let queue = QueueId::new(1).unwrap();
        records.extend((10_000..14_500).map(|number| Record::Subscriber(Subscriber { queue, jid: jid(number) })));
        store.commit(&puts(records.clone())).unwrap();
        for record in &records[..20] {
            store.commit(&[Write::Put(record.clone())]).unwrap();
        }
        assert_eq!(fs::read_dir(store.folder.store().join("blobs")).unwrap().count(), 0);
        assert_eq!(store.load().unwrap(), records);
        drop(store);
        assert_eq!(SledStore::open(state.path(), 0).unwrap().load().unwrap(), records);
    }

    #[test]
    fn values_are_kept_in_parts_and_leave_none_behind() {
        let state = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(state.path(), 0).unwrap();
        let head = record::write_value(&queue_of(2, 0)).len();
        let lengths = [PART - 1, PART, PART + 1, 3 * PART, 2 * PART, head, 2 * PART - 1, PART];
        for length in lengths {
            let record = queue_of(2, length - head);
            assert_eq!(record::write_value(&record).len(), length);
            store.commit(&[Write::Put(record.clone())]).unwrap();
            assert_eq!(store.load().unwrap(), [record]);
            assert_eq!(store.db.len(), 2 + length / PART);
        }
        store.commit(&[Write::Delete(queue_of(2, 0).key())]).unwrap();
        assert_eq!((store.load().unwrap(), store.db.len()), (vec![], 1));
        store.commit(&[Write::Put(queue_of(2, 3 * PART))]).unwrap();
        store.db.remove(part_key(&record::write_key(&queue_of(2, 0).key()), 2)).unwrap();
        drop(store);
        refused(state.path(), "queue 2: a part of it is missing");
    }

    fn note(at: u64) -> Write {
        Write::Note(Box::new(Noted { at: UnixTime(at), ..audit::tests::notes().remove(0) }))
    }

    /// Numbers and moments of the audit log, newest first.
    fn noted(store: &SledStore) -> Vec<(u64, u64)> {
        let trail = store.trail();
        let all = trail.before(None, usize::MAX).unwrap();
        assert_eq!(trail.oldest(), all.last().map(|(_, noted)| noted.at));
        all.iter().map(|(number, noted)| (*number, noted.at.0)).collect()
    }

    #[test]
    fn the_audit_log_goes_along_and_is_not_loaded() {
        let state = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(state.path(), 0).unwrap();
        assert_eq!(noted(&store), []);
        store.commit(&[Write::Put(Record::NextId(4)), note(10), note(11)]).unwrap();
        store.commit(&[note(12)]).unwrap();
        assert_eq!(noted(&store), [(2, 12), (1, 11), (0, 10)]);
        assert_eq!(store.trail().before(Some(2), 1).unwrap()[0].0, 1);
        drop(store);
        let mut store = SledStore::open(state.path(), 0).unwrap();
        assert_eq!(store.load().unwrap(), [Record::NextId(4)]);
        assert_eq!(noted(&store), [(2, 12), (1, 11), (0, 10)]);
        store.commit(&[Write::Forget(UnixTime(12)), note(13)]).unwrap();
        assert_eq!(noted(&store), [(3, 13), (2, 12)]);
        store.commit(&[Write::Forget(UnixTime(99))]).unwrap();
        assert_eq!(noted(&store), []);
        store.commit(&[note(14)]).unwrap();
        assert_eq!(noted(&store), [(4, 14)], "no number is given twice");
        store.db.insert(audit::key(4), "x").unwrap();
        let error = store.trail().before(None, 9).unwrap_err().to_string();
        assert!(error.contains("entry 4 of the audit log: there is too little of it"), "{error}");
    }

    #[test]
    fn the_audit_log_is_bounded() {
        let state = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(state.path(), 0).unwrap().with_audit_most(5);
        store.commit(&(0..9).map(note).collect::<Vec<_>>()).unwrap();
        assert_eq!(noted(&store), [(8, 8), (7, 7), (6, 6), (5, 5), (4, 4)]);
        assert_eq!(store.db.len(), 6);
        // A lower bound is reached with what is noted, and at most a thousand are forgotten in one go.
        let mut store = {
            drop(store);
            SledStore::open(state.path(), 0).unwrap().with_audit_most(3)
        };
        store.commit(&[note(9)]).unwrap();
        assert_eq!(noted(&store).len(), 4);
        store.commit(&[note(10)]).unwrap();
        assert_eq!(noted(&store), [(10, 10), (9, 9), (8, 8)]);
        let mut store = {
            drop(store);
            SledStore::open(state.path(), 0).unwrap()
        };
        store.commit(&(11..2_000).map(note).collect::<Vec<_>>()).unwrap();
        store.commit(&[Write::Forget(UnixTime(5_000))]).unwrap();
        assert_eq!(noted(&store).len(), 1_992 - FORGET_MOST);
    }

    #[test]
    fn a_large_change_that_is_made_again_is_noted_once() {
        let mut change = puts(many(2 * CHUNK + 1));
        change.push(note(7));
        change.insert(0, note(6));
        for chunks_made in 0..3 {
            let state = tempfile::tempdir().unwrap();
            SledStore::open(state.path(), 0).unwrap().commit(&[note(5)]).unwrap();
            broken_off(state.path(), &change, chunks_made);
            let store = SledStore::open(state.path(), 0).unwrap();
            assert_eq!(noted(&store), [(2, 7), (1, 6), (0, 5)], "{chunks_made}");
        }
        let state = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(state.path(), 0).unwrap();
        store.commit(&change).unwrap();
        assert_eq!(noted(&store), [(1, 7), (0, 6)]);
    }

    fn puts(records: Vec<Record>) -> Vec<Write> {
        records.into_iter().map(Write::Put).collect()
    }

    fn filled() -> tempfile::TempDir {
        let state = tempfile::tempdir().unwrap();
        SledStore::open(state.path(), 0).unwrap().commit(&puts(one_of_each())).unwrap();
        state
    }

    fn many(count: usize) -> Vec<Record> {
        let Record::Session(session) = one_of_each().swap_remove(6) else { unreachable!() };
        let record = |number: usize| {
            let mut token = session.token;
            token.0[..8].copy_from_slice(&(number as u64).to_be_bytes());
            Record::Session(crate::domain::Session { token, used: UnixTime(number as u64), ..session.clone() })
        };
        (0..count).map(record).collect()
    }

    fn queue_of(id: u32, avatar: usize) -> Record {
        let Record::Queue(queue) = one_of_each().swap_remove(3) else { unreachable!() };
        Record::Queue(Queue { id: QueueId::new(id).unwrap(), avatar: Some("x".repeat(avatar).into()), ..queue })
    }

    /// A store whose owner died after some chunks of a large change.
    fn broken_off(state: &Path, change: &[Write], chunks: usize) {
        let mut store = SledStore::open(state, 0).unwrap();
        dump::write_change(&store.folder.pending(), change, store.counts.audit.next).unwrap();
        for chunk in change.chunks(CHUNK).take(chunks) {
            store.transact(chunk, true).unwrap();
        }
    }

    fn refused(state: &Path, what: &str) {
        let error = SledStore::open(state, 0).and_then(|mut store| store.load()).expect_err(what);
        assert!(matches!(error, StoreError::Damaged { .. }) && error.to_string().contains(what), "{error}");
    }

    fn copy(from: &Path, to: &Path) {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
}
