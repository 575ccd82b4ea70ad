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
    cell::Cell,
    convert::Infallible,
    error::Error as _,
    fs::{self, File},
    io::{self, BufReader},
    panic::{self, AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use ::sled::{
    Db,
    transaction::{ConflictableTransactionError, TransactionError, TransactionalTree, UnabortableTransactionError},
};
use serde::{Deserialize, Deserializer, Serialize, de};
use tokio::time::Instant;

use self::snapshot::{Turns, Walk};
use super::{
    Store, StoreError, Trail,
    audit::{self, Span},
    dump,
    folder::{self, Acknowledged, Folder},
    ledger::{self, Disk, Ledger, Writes},
    record::{self, KINDS, Owners, Unreadable},
    snapshot::Snapshot,
};
use crate::{
    domain::{Noted, Record, UnixTime, Write},
    metrics::Metrics,
};

mod restore;
mod salvage;
mod snapshot;

pub use self::{restore::Backup, salvage::Salvaged};

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
    ledger: Ledger,
    trail: Arc<Shown>,
    /// The most entries of the audit log.
    audit_most: Arc<AtomicU64>,
    failed: Option<String>,
    folder: Folder,
    metrics: Metrics,
}

/// The bounds of a store, which may change while it is in use: they hold from the next commit on.
#[derive(Debug, Clone)]
pub struct Bounds {
    min_free: Arc<AtomicU64>,
    audit_most: Arc<AtomicU64>,
}

impl Bounds {
    /// So many bytes are to stay free on the disk.
    pub fn set_min_free(&self, bytes: u64) {
        self.min_free.store(bytes, Ordering::Relaxed);
    }

    /// The audit log holds so many entries at the most; where there are more, the oldest go with the next one.
    pub fn set_audit_most(&self, entries: u64) {
        self.audit_most.store(entries, Ordering::Relaxed);
    }
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
    /// Whether it is known whose entries there are.
    #[serde(default)]
    audit_shares: bool,
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
        if let Some(version) = record::later_version(&COUNTS_KEY, &counts) {
            let (oldest, newest) = (record::OLDEST, record::VERSION);
            let what = format!(
                "a later rosterd has written version {version}, and this one reads versions {oldest} to {newest}"
            );
            return Err(StoreError::Foreign { path: store, what });
        }
        let counts: Counts = record::open(&COUNTS_KEY, &counts)
            .map_err(|what| folder.damaged(format!("the record of its counts: {what}")))?;
        let acknowledged = folder.acknowledged()?;
        let trail = Arc::new(Shown { db: db.clone(), store, span: Mutex::default(), turns: Mutex::default() });
        let (audit_most, failed, metrics) = (Arc::new(audit::MOST.into()), None, Metrics::default());
        let ledger = Ledger::of(counts.audit);
        let mut opened = Self { db, file, acknowledged, counts, ledger, trail, audit_most, failed, folder, metrics };
        opened.check_commits()?;
        opened.load_shares()?;
        opened.finish_pending()?;
        opened.show()?;
        opened.trail.turns().become_as(&opened.counts, opened.ledger.total());
        Ok(opened)
    }

    /// The same, where the audit log holds so many entries at the most.
    #[must_use]
    pub fn with_audit_most(self, audit_most: u64) -> Self {
        self.bounds().set_audit_most(audit_most);
        self
    }

    /// The way to change its bounds while it is in use.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds { min_free: self.folder.min_free(), audit_most: self.audit_most.clone() }
    }

    /// The same, where others see how long it takes.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        metrics.store().audit(self.ledger.total(), 0, 0);
        Self { metrics, ..self }
    }

    /// Lets the audit log be read as far as it is on disk.
    fn show(&self) -> Result<(), StoreError> {
        let span = self.counts.audit;
        let mut shown = self.trail.span.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.0.first != span.first || shown.1.is_none() {
            let oldest = guarded(&self.folder, || self.db.entry_from(span.first))?;
            // One that can not be read is of no use, and old enough to be forgotten.
            shown.1 = oldest.map(|(number, value)| audit::read(number, &value).map_or(UnixTime(0), |noted| noted.at));
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
                self.take_back(next)?;
                self.make(&change, Some(self.audit_most.load(Ordering::Relaxed)))
            }
        }
    }

    /// Learns whose entries the audit log has. A store of an earlier version does not say, so there all are read once.
    fn load_shares(&mut self) -> Result<(), StoreError> {
        if self.counts.audit_shares {
            let kept = guarded(&self.folder, || {
                self.db.range(ledger::SHARES_START..ledger::SHARES_END).collect::<Result<Vec<_>, _>>()
            })?;
            for (key, value) in kept {
                let damaged = |what| self.folder.damaged(format!("the counts of the audit log: {what}"));
                self.ledger.load(&key, &value).map_err(damaged)?;
            }
            self.ledger.take_writes();
            return Ok(());
        }
        let mut next = self.counts.audit.first;
        loop {
            for _ in 0..CHUNK {
                let found = guarded(&self.folder, || self.db.entry_from(next))?;
                let Some((number, value)) = found else {
                    self.counts.audit_shares = true;
                    return if next == self.counts.audit.first { Ok(()) } else { self.rewrite_ledger() };
                };
                self.ledger.adopt(number, &value);
                next = number + 1;
            }
            self.rewrite_ledger()?;
        }
    }

    /// Takes back what was noted under this number and above.
    fn take_back(&mut self, next: u64) -> Result<(), StoreError> {
        while self.ledger.span.next > next.max(self.ledger.span.first) {
            for _ in 0..CHUNK {
                if self.ledger.span.next > next.max(self.ledger.span.first) {
                    guarded(&self.folder, || self.ledger.take_back(&self.db))?;
                }
            }
            self.rewrite_ledger()?;
        }
        Ok(())
    }

    /// Writes what has changed in the audit log's books, and nothing else.
    fn rewrite_ledger(&mut self) -> Result<(), StoreError> {
        self.transact(&[], self.counts.pending, Some(self.audit_most.load(Ordering::Relaxed)))
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
    fn make(&mut self, change: &[Write], most: Option<u64>) -> Result<(), StoreError> {
        let mut chunks = change.chunks(CHUNK).peekable();
        while let Some(chunk) = chunks.next() {
            self.transact(chunk, chunks.peek().is_some(), most)?;
        }
        self.folder.forget_pending()
    }

    fn commit_large(&mut self, change: &[Write], most: Option<u64>) -> Result<(), StoreError> {
        let path = self.folder.pending();
        dump::write_change(&path, change, self.counts.audit.next)
            .map_err(|error| self.folder.unwritten("could not write", &path, error))?;
        self.make(change, most)
    }

    fn keep(&mut self, change: &[Write]) -> Result<(), StoreError> {
        if let Some(cause) = &self.failed {
            return Err(StoreError::Failed { path: self.folder.store(), cause: cause.clone() });
        }
        // Nothing has begun, so this one alone is refused.
        self.folder.check_room()?;
        let trail = self.trail.clone();
        // Held throughout: who reads everything sees all of a change or nothing of it.
        let mut turns = trail.turns();
        turns.overtake_stalled(Instant::now());
        if caught(|| turns.put_aside(&self.db, change)).is_err() {
            turns.overtake();
        }
        let most = (!turns.is_read()).then(|| self.audit_most.load(Ordering::Relaxed));
        let result =
            if change.len() <= CHUNK { self.transact(change, false, most) } else { self.commit_large(change, most) };
        self.failed = result.as_ref().err().map(in_words);
        turns.become_as(&self.counts, self.ledger.total());
        turns.failed.clone_from(&self.failed);
        result
    }

    /// Makes these writes, and lets the audit log have `most` entries; `None`: as many as there are.
    fn transact(&mut self, writes: &[Write], pending: bool, most: Option<u64>) -> Result<(), StoreError> {
        let (db, ledger) = (&self.db, &mut self.ledger);
        let counts = guarded(&self.folder, || {
            keep_books(db, writes, ledger, most)?;
            let before = Counts { pending, audit: ledger.span, ..self.counts.clone() };
            apply(db, writes, &ledger.take_writes(), &before)
        })?;
        self.metrics.store().flush(|| {
            guarded(&self.folder, || db.flush())?;
            // What `flush` handed to the kernel is not on disk yet.
            self.file.sync_data().map_err(|error| self.folder.unwritten("could not sync", &self.folder.store(), error))
        })?;
        self.acknowledged.write(counts.commits)?;
        let removed = self.ledger.take_removed();
        self.metrics.store().audit(self.ledger.total(), removed.outdated, removed.superfluous);
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
        let metrics = self.metrics.clone();
        metrics.store().commit(|| self.keep(change))
    }

    fn trail(&self) -> Arc<dyn Trail> {
        self.trail.clone()
    }
}

/// What is on disk, as it may be read.
#[derive(Debug)]
struct Shown {
    db: Db,
    store: PathBuf,
    /// What is on disk, and when the oldest of it was made.
    span: Mutex<(Span, Option<UnixTime>)>,
    turns: Mutex<Turns>,
}

impl Shown {
    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs what reads from the database, which may panic.
    fn carefully<T>(&self, work: impl FnOnce() -> Result<T, Fault>) -> Result<T, StoreError> {
        let damaged = |what| StoreError::Damaged { path: self.store.clone(), what };
        match caught(work) {
            Ok(found) => found.map_err(|fault| match fault {
                Fault::Found(what) => damaged(what),
                Fault::Sled(error) => damaged(error.to_string()),
            }),
            Err(panic) => Err(damaged(format!("it can not be read ({})", said(&*panic)))),
        }
    }
}

impl Trail for Shown {
    fn snapshot(self: Arc<Self>, with_audit: bool) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(Walk::begin(&self, with_audit)?))
    }

    fn before(&self, before: Option<u64>, most: usize) -> Result<Vec<(u64, Noted)>, StoreError> {
        let (Span { first, next }, _) = *self.span.lock().unwrap_or_else(PoisonError::into_inner);
        let end = before.map_or(next, |before| before.min(next));
        let read = || {
            let mut found = Vec::new();
            for entry in self.db.range(audit::key(first)..audit::key(end.max(first))).rev().take(most) {
                let (key, value) = entry?;
                let Some(number) = audit::number(&key) else { break };
                found.push((number, audit::read(number, &value).map_err(|what| damaged_entry(number, &what))));
            }
            Ok(found)
        };
        let damaged = |what| StoreError::Damaged { path: self.store.clone(), what };
        let found = self.carefully(|| read().map_err(Fault::Sled))?;
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

impl Disk for Db {
    type Error = ::sled::Error;

    fn kept(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ::sled::Error> {
        Ok(self.get(key)?.map(|value| value.to_vec()))
    }

    fn entry_from(&self, from: u64) -> Result<Option<(u64, Vec<u8>)>, ::sled::Error> {
        let entry = self.range(audit::key(from).as_slice()..audit::END.as_slice()).next().transpose()?;
        Ok(entry.and_then(|(key, value)| Some((audit::number(&key)?, value.to_vec()))))
    }
}

/// Has the audit log's books say what these writes do to it. Without `most`, no entry goes: somebody reads them.
fn keep_books(db: &Db, writes: &[Write], ledger: &mut Ledger, most: Option<u64>) -> Result<(), ::sled::Error> {
    for write in writes {
        match write {
            Write::Note(noted) => ledger.note(db, noted, most.unwrap_or(u64::MAX))?,
            Write::Forget(moment) if most.is_some() => ledger.forget(db, *moment)?,
            // What is to be forgotten is asked for again.
            Write::Forget(_) | Write::Put(_) | Write::Delete(_) => {}
        }
    }
    Ok(())
}

/// Makes these writes, and those of the audit log, all or nothing, and gives back what is there then.
fn apply(db: &Db, writes: &[Write], audit: &Writes, before: &Counts) -> Result<Counts, ::sled::Error> {
    let made = db.transaction(|tree| {
        let mut counts = Counts { commits: before.commits + 1, ..before.clone() };
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
                // These are in the audit log's books.
                Write::Note(_) | Write::Forget(_) => {}
            }
        }
        for (key, value) in audit {
            match value {
                Some(value) => tree.insert(key.as_slice(), value.as_slice())?,
                None => tree.remove(key.as_slice())?,
            };
        }
        tree.insert(&COUNTS_KEY, record::seal(&COUNTS_KEY, &counts))?;
        Ok::<_, ConflictableTransactionError<Infallible>>(counts)
    });
    made.map_err(|error| match error {
        TransactionError::Storage(error) => error,
        TransactionError::Abort(never) => match never {},
    })
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

thread_local! {
    /// Whether a panic of this thread is caught, and told as an error.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Catches a panic, of which nothing is printed: what it says is told as an error.
fn caught<T>(work: impl FnOnce() -> T) -> std::thread::Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_CAUGHT.get() {
                print(panic);
            }
        }));
    });
    let outer = IS_CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_CAUGHT.set(outer);
    result
}

/// Runs what calls sled, which panics where it meets pages that it can not read. (So the program has to be built to unwind.)
fn guarded<T>(folder: &Folder, work: impl FnOnce() -> Result<T, ::sled::Error>) -> Result<T, StoreError> {
    match caught(work) {
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

mod tests;
