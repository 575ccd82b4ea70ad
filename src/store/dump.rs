//! Everything that is kept, as a file: what `rosterd export` and `rosterd backup` write, `rosterd import` and `rosterd restore`
//! read.
//!
//! JSON lines. The first says what the file is, each further one holds one record, and the last has the number of lines
//! between the two and the SHA-256 of all bytes before it, so `head -n -1 FILE | sha256sum` tells what the last line should.
//!
//! A backup is an export with more in it: its first line says when it was made, and behind the records come the entries of the
//! audit log and a few files of the state folder.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead, Read, Write as _},
    os::unix::fs::MetadataExt,
    path::Path,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Snapshot, StoreError,
    audit::NotedShape,
    folder,
    record::{self, Owners, Shape, WriteShape},
    snapshot::Item,
};
use crate::domain::{BareJid, Cause, Name, Noted, Record, UnixTime, Write};

/// The version of the format that is written. The records are those of [`record::VERSION`]; versions before it are read too.
pub const VERSION: u32 = record::VERSION as u32;
/// The first version that is read.
const OLDEST: u32 = record::OLDEST as u32;

/// The most bytes of a line that are read. A record is far smaller; a file of another kind may have no lines at all.
pub const LINE_MOST: usize = 16 << 20;

const BUFFER: usize = 256 << 10;

/// How many losses are named in a file that was saved from a damaged store: they stand in one line.
const LOST_MOST: usize = 10_000;

/// How many records there are between two reports of progress.
const PROGRESS_EVERY: u64 = 1_024;

/// Why a file can not be read as an export. Nothing of it should be used.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The operating system refused.
    #[error("could not read line {line}")]
    Read {
        /// Where.
        line: u64,
        /// Its answer.
        source: io::Error,
    },
    /// The first line is another.
    #[error("line 1: this is no {wanted} of rosterd")]
    Foreign {
        /// What was looked for.
        wanted: &'static str,
    },
    /// It is a backup, and an export is wanted.
    #[error("line 1: this is a backup, which `rosterd restore` reads: an export is wanted here")]
    Backup,
    /// It was saved from a damaged store, and something is missing.
    #[error("line 1: the file is incomplete: `rosterd restore --accept-losses` takes it")]
    Incomplete,
    /// Whoever wrote it could not go on.
    #[error("it breaks off, since {0}")]
    BrokenOff(String),
    /// It was written by another version of us.
    #[error("line 1: the file is of version {found}, and this rosterd reads versions {OLDEST} to {VERSION}")]
    Version {
        /// What it says.
        found: u32,
    },
    /// A line holds no record.
    #[error("line {line}: {what}")]
    Record {
        /// Where.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A line does not end.
    #[error("line {line} is longer than {LINE_MOST} bytes")]
    TooLong {
        /// Where.
        line: u64,
    },
    /// The last line is not there.
    #[error("the file was cut short: it breaks off after line {line}")]
    Truncated {
        /// The last line that is whole.
        line: u64,
    },
    /// The last line counts another number of records.
    #[error("line {line}: the file should hold {wanted} records, and holds {found}")]
    Count {
        /// Where.
        line: u64,
        /// What the last line says.
        wanted: u64,
        /// What was there.
        found: u64,
    },
    /// Some byte is not what it was.
    #[error("line {line}: the checksum does not match, so the file was changed after it was written")]
    Checksum {
        /// Where.
        line: u64,
    },
    /// There is something after the last line.
    #[error("line {line}: the file goes on after its end")]
    GoesOn {
        /// Where.
        line: u64,
    },
}

/// Why everything could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file did not take it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a file holds, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records.
    pub records: u64,
    /// Entries of the audit log.
    pub entries: u64,
    /// Files of the state folder.
    pub files: u64,
}

impl Tally {
    /// Lines between the first and the last.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.records + self.entries + self.files
    }

    fn count(&mut self, part: &Part) {
        match part {
            Part::Record(_) => self.records += 1,
            Part::Noted(..) => self.entries += 1,
            Part::File(_) => self.files += 1,
        }
    }
}

/// A small text file of the state folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Its path below the state folder.
    pub name: String,
    /// Its mode: who may read it.
    pub mode: u32,
    /// What it holds.
    pub text: String,
}

/// The files of the state folder that make a machine the same one after a restore: the certificate of its own making.
const FILES: [&str; 2] = ["tls/cert.pem", "tls/key.pem"];
/// The most bytes that such a file has.
const FILE_MOST: u64 = 1 << 20;

/// Those files that there are.
///
/// # Errors
/// The first that can not be read.
pub fn kept_files(state: &Path) -> io::Result<Vec<Kept>> {
    let read = |name: &&str| {
        let file = match File::open(state.join(name)) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return None;
            }
            result => result,
        };
        let read = |mut file: File| {
            let (mode, mut text) = (file.metadata()?.mode() & 0o777, String::new());
            Read::by_ref(&mut file).take(FILE_MOST).read_to_string(&mut text)?;
            Ok(Kept { name: (*name).to_owned(), mode, text })
        };
        Some(file.and_then(read))
    };
    FILES.iter().filter_map(read).collect()
}

impl Kept {
    fn check(&self) -> Result<(), String> {
        if FILES.contains(&&*self.name) {
            Ok(())
        } else {
            Err(format!("no file {:?} belongs into a backup", self.name))
        }
    }
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// The records.
    Export,
    /// The records, the audit log, and these files.
    Backup {
        /// When.
        written: UnixTime,
        /// The files.
        files: Vec<Kept>,
    },
}

impl Form {
    /// Whether the audit log is wanted.
    #[must_use]
    pub const fn with_audit(&self) -> bool {
        matches!(self, Self::Backup { .. })
    }
}

/// A line between the first and the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A record.
    Record(Record),
    /// An entry of the audit log with its number; the oldest comes first.
    Noted(u64, Noted),
    /// A file.
    File(Kept),
}

/// What the first line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// When a backup was made; of an export it is not known.
    pub written: Option<UnixTime>,
    /// The number of the next entry of the audit log.
    pub next: Option<u64>,
    /// What could not be read of the damaged store that it was saved from, in words; nothing of a file that is complete.
    pub lost: Vec<String>,
}

/// Writes everything in `snapshot`. `progress` is told how many lines have been written, now and then. What stops the snapshot is
/// written too, so that who reads the file can say it.
///
/// # Errors
/// What `out` answers, and what stopped the snapshot.
pub fn write_snapshot(
    snapshot: &mut dyn Snapshot,
    form: Form,
    out: impl io::Write,
    mut progress: impl FnMut(u64),
) -> Result<Tally, WriteError> {
    let mut tally = Tally::default();
    let mut lines = match &form {
        Form::Export => Lines::begin(out, &Header::of(Record::FILE))?,
        Form::Backup { written, .. } => {
            let next = Some(snapshot.next_entry());
            Lines::begin(out, &Header { written: Some(written.0), next, ..Header::of(Part::FILE) })?
        }
    };
    loop {
        let items = match snapshot.turn() {
            Ok(items) if items.is_empty() => break,
            Ok(items) => items,
            Err(error) => {
                lines.add(&Footer::Failed(error.to_string()))?;
                return Err(error.into());
            }
        };
        for item in items {
            let part = match item {
                Item::Record(record) => Part::Record(record),
                Item::Noted(number, noted) => Part::Noted(number, noted),
            };
            lines.put(&part)?;
            tally.count(&part);
        }
        progress(tally.lines());
    }
    if let Form::Backup { files, .. } = form {
        for part in files.into_iter().map(Part::File) {
            lines.put(&part)?;
            tally.count(&part);
        }
    }
    lines.end()?;
    Ok(tally)
}

/// Writes that nothing could be written, and why: for who waits for a file.
///
/// # Errors
/// What `out` answers.
pub fn write_failure(out: impl io::Write, form: &Form, why: &str) -> io::Result<()> {
    let file = if form.with_audit() { Part::FILE } else { Record::FILE };
    Lines::begin(out, &Header::of(file))?.add(&Footer::Failed(why.to_owned()))
}

/// Reads a backup or an export, line by line: nothing of it should be used before this has returned. The records come as in
/// [`read_records`].
///
/// # Errors
/// The first line that is wrong, and how.
pub fn read_parts(input: impl BufRead, mut each: impl FnMut(Part)) -> Result<(Head, Tally), DumpError> {
    let mut tally = Tally::default();
    let header = read_lines(input, Owners::new(), |part| {
        tally.count(&part);
        each(part);
    })?;
    Ok((Head { written: header.written.map(UnixTime), next: header.next, lost: header.lost }, tally))
}

/// Writes an export. `progress` is told how many records have been written, now and then and at the end.
///
/// # Errors
/// What `out` answers.
pub fn write_records(records: &[Record], out: impl io::Write, progress: impl FnMut(u64)) -> io::Result<()> {
    write_lines(records, None, out, progress)
}

/// Writes an export of what was saved from a damaged store; what was lost stands in its first line.
///
/// # Errors
/// What `out` answers.
pub fn write_salvaged(records: &[Record], lost: &[String], out: impl io::Write) -> io::Result<()> {
    let mut named: Vec<_> = lost.iter().take(LOST_MOST).cloned().collect();
    if lost.len() > named.len() {
        named.push(format!("and {} more", lost.len() - named.len()));
    }
    let mut lines = Lines::begin(out, &Header { lost: named, ..Header::of(Record::FILE) })?;
    records.iter().try_for_each(|record| lines.put(record))?;
    lines.end()
}

/// Reads an export. `progress` is told how many records have been read, now and then and at the end. The records come as they
/// stand in the file: each is good in itself, but whether they fit together is not looked at.
///
/// # Errors
/// The first line that is wrong, and how.
pub fn read_records(input: impl BufRead, mut progress: impl FnMut(u64)) -> Result<Vec<Record>, DumpError> {
    let mut records = Vec::new();
    read_lines(input, Owners::new(), |record| {
        records.push(record);
        if (records.len() as u64).is_multiple_of(PROGRESS_EVERY) {
            progress(records.len() as u64);
        }
    })?;
    progress(records.len() as u64);
    Ok(records)
}

/// Writes an export to a file that only its owner can read. When this returns, it is there even after a loss of power; else what was
/// at `path` before is still there.
///
/// # Errors
/// What the operating system answers.
pub fn write_file(path: &Path, records: &[Record], progress: impl FnMut(u64)) -> io::Result<()> {
    write_whole(path, true, |out| write_lines(records, None, out, progress))
}

/// The same with whatever `write` writes; another file at `path` is replaced only where `replace` says so. If `write` fails,
/// nothing is left behind.
///
/// # Errors
/// Those of `write`, and what the operating system answers.
pub fn write_whole<T, E: From<io::Error>>(
    path: &Path,
    replace: bool,
    write: impl FnOnce(&mut dyn io::Write) -> Result<T, E>,
) -> Result<T, E> {
    folder::write_whole(path, replace, |file| {
        let mut out = io::BufWriter::with_capacity(BUFFER, file);
        let done = write(&mut out)?;
        out.flush()?;
        Ok(done)
    })
}

/// As [`write_file`], for a change that is to be made, whose first entry of the audit log has the number `next`.
pub(super) fn write_change(path: &Path, change: &[Write], next: u64) -> io::Result<()> {
    write_whole(path, true, |out| write_lines(change, Some(next), out, |_| ()))
}

/// Reads what [`write_change`] wrote, where there were these accounts.
pub(super) fn read_change(input: impl BufRead, owners: Owners) -> Result<(Vec<Write>, u64), DumpError> {
    let mut change = Vec::new();
    let header = read_lines(input, owners, |write| change.push(write))?;
    Ok((change, header.next.unwrap_or_default()))
}

/// What can stand on a line.
trait Line: Sized {
    /// What a file of these is called.
    const FILE: &'static str;
    /// What else may be read as one.
    const OR: Option<&'static str> = None;
    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()>;
    fn read(line: &[u8], owners: &mut Owners) -> Result<Self, String>;
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    rosterd: Cow<'a, str>,
    version: u32,
    /// In a backup: when it was made, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written: Option<u64>,
    /// In a change, and in a backup: the number of the next entry of the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
    /// In an export that was saved from a damaged store: what could not be read, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lost: Vec<String>,
}

impl Header<'_> {
    fn of(file: &'static str) -> Self {
        Self { rosterd: file.into(), version: VERSION, written: None, next: None, lost: Vec::new() }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Footer {
    End {
        records: u64,
        sha256: String,
    },
    /// Why there is no more.
    Failed(String),
}

/// How the last line begins, and no other.
const FOOTERS: [&[u8]; 2] = [b"{\"end\":", b"{\"failed\":"];

/// What stands in a backup only.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Extra<'a> {
    Noted(u64, Box<NotedShape<'a>>),
    File(Cow<'a, Kept>),
}

/// How such lines begin, and no others.
const EXTRAS: [&[u8]; 2] = [b"{\"noted\":", b"{\"file\":"];

impl Line for Part {
    const FILE: &'static str = "backup";
    const OR: Option<&'static str> = Some(Record::FILE);

    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        match self {
            Self::Record(record) => record.write(out),
            Self::Noted(number, noted) => serde_json::to_writer(out, &Extra::Noted(*number, Box::new(noted.into()))),
            Self::File(file) => serde_json::to_writer(out, &Extra::File(Cow::Borrowed(file))),
        }
    }

    fn read(line: &[u8], owners: &mut Owners) -> Result<Self, String> {
        if !EXTRAS.iter().any(|start| line.starts_with(start)) {
            return Record::read(line, owners).map(Self::Record);
        }
        match serde_json::from_slice(line).map_err(|error| record::plain(&error))? {
            Extra::Noted(number, noted) => Ok(Self::Noted(number, (*noted).try_into()?)),
            Extra::File(file) => file.check().map(|()| Self::File(file.into_owned())),
        }
    }
}

impl Line for Record {
    const FILE: &'static str = "export";

    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(out, &Shape::from(self))
    }

    fn read(line: &[u8], owners: &mut Owners) -> Result<Self, String> {
        let shape: Shape = serde_json::from_slice(line).map_err(|error| record::plain(&error))?;
        let record = shape.into_record(owners)?;
        check(&record)?;
        Ok(record)
    }
}

impl Line for Write {
    const FILE: &'static str = "change";

    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(out, &WriteShape::from(self))
    }

    fn read(line: &[u8], owners: &mut Owners) -> Result<Self, String> {
        let shape: WriteShape = serde_json::from_slice(line).map_err(|error| record::plain(&error))?;
        shape.into_write(owners)
    }
}

/// An export may have been made by other hands, so its names are looked at as at any other door.
fn check(record: &Record) -> Result<(), String> {
    let name = |name: &Name, most| match Name::parse(name.as_str(), most) {
        Ok(prepared) if prepared == *name => Ok(()),
        Ok(prepared) => Err(format!("the name {name} should be written {prepared}")),
        Err(error) => Err(error.to_string()),
    };
    let is_prepared = |jid: &BareJid, prepared: &BareJid| {
        if prepared == jid { Ok(()) } else { Err(format!("the JID {jid} should be written {prepared}")) }
    };
    let jid = |jid: &BareJid| is_prepared(jid, &BareJid::parse(jid.as_str())?);
    match record {
        Record::Account(account) => {
            name(&account.name, Name::QUEUE_MOST)?;
            account.logins.keys().try_for_each(|login| name(login, Name::QUEUE_MOST))?;
            account.admins.iter().try_for_each(jid)
        }
        Record::Queue(queue) => name(&queue.name, Name::QUEUE_MOST),
        Record::User(user) => name(&user.name, Name::USER_MOST).and_then(|()| jid(&user.jid)),
        Record::Subscriber(it) => is_prepared(&it.jid, &BareJid::of_follower(it.jid.as_str())?),
        Record::Operator(operator) => {
            let cause = operator.suspended.as_ref().and_then(|it| it.cause.as_ref());
            cause.map_or(Ok(()), |cause| match Cause::parse(cause.as_str())? {
                parsed if parsed == *cause => Ok(()),
                parsed => Err(format!(
                    "the reason {cause:?} should be written {parsed:?}",
                    cause = cause.as_str(),
                    parsed = parsed.as_str()
                )),
            })
        }
        Record::Token(token) => name(&token.name, Name::QUEUE_MOST),
        Record::NextId(_) | Record::Session(_) => Ok(()),
    }
}

fn write_lines<T: Line>(
    items: &[T],
    next: Option<u64>,
    out: impl io::Write,
    mut progress: impl FnMut(u64),
) -> io::Result<()> {
    let mut lines = Lines::begin(out, &Header { next, ..Header::of(T::FILE) })?;
    for item in items {
        lines.put(item)?;
        if lines.done.is_multiple_of(PROGRESS_EVERY) {
            progress(lines.done);
        }
    }
    progress(lines.done);
    lines.end()
}

/// A file that is being written.
struct Lines<W> {
    out: W,
    hasher: Sha256,
    line: Vec<u8>,
    done: u64,
}

impl<W: io::Write> Lines<W> {
    fn begin(out: W, header: &Header<'_>) -> io::Result<Self> {
        let mut lines = Self { out, hasher: Sha256::new(), line: Vec::new(), done: 0 };
        lines.add(header)?;
        Ok(lines)
    }

    fn put(&mut self, item: &impl Line) -> io::Result<()> {
        item.write(&mut self.line)?;
        self.done += 1;
        self.send()
    }

    fn add(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.line, line)?;
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        self.line.push(b'\n');
        self.hasher.update(&self.line);
        self.out.write_all(&self.line)?;
        self.line.clear();
        Ok(())
    }

    fn end(mut self) -> io::Result<()> {
        let sha256 = record::to_hex(&self.hasher.clone().finalize());
        self.add(&Footer::End { records: self.done, sha256 })
    }
}

fn read_lines<T: Line>(
    mut input: impl BufRead,
    mut owners: Owners,
    mut each: impl FnMut(T),
) -> Result<Header<'static>, DumpError> {
    let mut hasher = Sha256::new();
    let mut text = Vec::new();
    read_line(&mut input, 1, &mut text)?;
    let header = check_header::<T>(&text)?;
    hasher.update(&text);
    for (done, line) in (2..).enumerate() {
        read_line(&mut input, line, &mut text)?;
        if FOOTERS.iter().any(|start| text.starts_with(start)) {
            check_footer(&text, line, done as u64, &record::to_hex(&hasher.finalize()))?;
            check_end(input, line + 1)?;
            break;
        }
        // A line without its end has been cut, and what is left of it should not be taken for a bad record.
        if text.last() != Some(&b'\n') {
            return Err(DumpError::Truncated { line: line - 1 });
        }
        each(T::read(&text, &mut owners).map_err(|what| DumpError::Record { line, what })?);
        hasher.update(&text);
    }
    Ok(header)
}

fn read_line(input: &mut impl BufRead, line: u64, text: &mut Vec<u8>) -> Result<(), DumpError> {
    text.clear();
    let most = LINE_MOST as u64 + 1;
    input.take(most).read_until(b'\n', text).map_err(|source| DumpError::Read { line, source })?;
    if text.len() > LINE_MOST {
        return Err(DumpError::TooLong { line });
    }
    if text.is_empty() && line > 1 {
        return Err(DumpError::Truncated { line: line - 1 });
    }
    Ok(())
}

fn check_header<T: Line>(text: &[u8]) -> Result<Header<'static>, DumpError> {
    let header: Header<'static> = serde_json::from_slice(text).map_err(|_| DumpError::Foreign { wanted: T::FILE })?;
    match &*header.rosterd {
        file if file == T::FILE || Some(file) == T::OR => {}
        file if file == Part::FILE && T::FILE == Record::FILE => return Err(DumpError::Backup),
        _ => return Err(DumpError::Foreign { wanted: T::FILE }),
    }
    // Only who reads backups says whether losses are accepted.
    if !header.lost.is_empty() && T::FILE != Part::FILE {
        return Err(DumpError::Incomplete);
    }
    match header.version {
        OLDEST..=VERSION => Ok(header),
        found => Err(DumpError::Version { found }),
    }
}

fn check_footer(text: &[u8], line: u64, found: u64, sum: &str) -> Result<(), DumpError> {
    let footer: serde_json::Result<Footer> = serde_json::from_slice(text);
    match footer {
        Err(error) if error.is_eof() => Err(DumpError::Truncated { line: line - 1 }),
        Err(error) => Err(DumpError::Record { line, what: record::plain(&error) }),
        Ok(Footer::End { records: wanted, .. }) if wanted != found => Err(DumpError::Count { line, wanted, found }),
        Ok(Footer::End { sha256, .. }) if sha256 != sum => Err(DumpError::Checksum { line }),
        Ok(Footer::End { .. }) => Ok(()),
        Ok(Footer::Failed(why)) => Err(DumpError::BrokenOff(why)),
    }
}

fn check_end(mut input: impl BufRead, line: u64) -> Result<(), DumpError> {
    let rest = input.fill_buf().map_err(|source| DumpError::Read { line, source })?;
    if rest.is_empty() { Ok(()) } else { Err(DumpError::GoesOn { line }) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::{collection::vec, prelude::*};

    use super::{
        super::record::tests::{any_record, one_of_each, one_of_each_in_version_1, one_of_each_in_version_2},
        *,
    };

    #[test]
    fn the_format_stays_what_it_was() {
        insta::assert_snapshot!(text(&one_of_each()));
    }

    #[test]
    fn what_earlier_versions_wrote_is_read() {
        let read = |file: &[u8]| read_records(file, |_| ()).unwrap();
        assert_eq!(read(include_bytes!("version1/export.jsonl")), one_of_each_in_version_1());
        assert_eq!(read(include_bytes!("version2/export.jsonl")), one_of_each_in_version_2());
    }

    #[test]
    fn an_empty_export_is_an_export() {
        assert_eq!(read_records(text(&[]).as_bytes(), |_| ()).unwrap(), []);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = text(&one_of_each());
        let check = |bad: String, what: &str| {
            let error = read_records(bad.as_bytes(), |_| ()).expect_err(what);
            assert_eq!(error.to_string(), what);
        };
        check(String::new(), "line 1: this is no export of rosterd");
        check("{\"users\":[]}\n".into(), "line 1: this is no export of rosterd");
        check(good.replace("export", "change"), "line 1: this is no export of rosterd");
        check(
            good.replace("\"version\":3", "\"version\":4"),
            "line 1: the file is of version 4, and this rosterd reads versions 1 to 3",
        );
        check(
            good.replace("\"ann\"", "\"eve\""),
            "line 10: the checksum does not match, so the file was changed after it was written",
        );
        check(good.replace("\"records\":8", "\"records\":9"), "line 10: the file should hold 9 records, and holds 8");
        check(format!("{good}\n"), "line 11: the file goes on after its end");
        check(good.replace("\"ann\"", "\"Ann\""), "line 4: the name Ann should be written ann");
        check(good.replace("\"ann\"", "\"a n\""), "line 4: the name contains a space, which is not allowed");
        check(good.replace("ann@example.org", "example.org"), "line 4: \"example.org\" has no part before an `@`");
        let resource = "line 7: \"example.org/x\" has a resource: only the part before `/` is wanted";
        check(good.replace("bob@example.org", "example.org/x"), resource);
        check(
            good.replace("\"enabled\":false", "\"on\":1"),
            "line 6: unknown field `on`, expected one of `queue`, `user`, `enabled`, `suspended` (column 36)",
        );
        check(
            good.replace("sue@example.org", "Sue@example.org"),
            "line 3: the JID Sue@example.org should be written sue@example.org",
        );
        check(good.replace("lunch", " lunch"), "line 6: the reason \" lunch\" should be written \"lunch\"");
        check(good.replace("lunch", "a\\nb"), "line 6: the reason contains '\\n', which is not allowed");
        check(good.replace("{\"next_id\":4}", "{}"), "line 2: expected value (column 2)");
        let twice = |list: &str| {
            let (start, rest) = good.split_once(list).unwrap();
            let (first, _) = rest.split_once(']').unwrap();
            let first =
                if first.starts_with('{') { first.split_inclusive('}').next() } else { first.split(',').next() };
            format!("{start}{list}{},{rest}", first.unwrap())
        };
        check(twice("\"admins\":["), "line 3: the JID sue@example.org is linked twice");
        check(twice("\"logins\":["), "line 3: the login desk is there twice");
        check(good.replace("a5a5", "a5x5"), "line 8: the token's hash is not 64 hexadecimal digits");
    }

    #[test]
    fn wherever_it_is_cut_it_is_refused() {
        let good = text(&one_of_each());
        let good = good.trim_end();
        let whole_first_line = good.find('\n').unwrap() + 1;
        for end in 0..good.len() {
            let error = read_records(&good.as_bytes()[..end], |_| ()).unwrap_err();
            assert_eq!(matches!(error, DumpError::Truncated { .. }), end >= whole_first_line - 1, "{end}: {error}");
        }
        assert_eq!(read_records(good.as_bytes(), |_| ()).unwrap(), one_of_each());
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let header = text(&[]).lines().next().unwrap().to_owned() + "\n";
        let endless = header.as_bytes().chain(io::BufReader::new(io::repeat(b'x')));
        assert_eq!(read_records(endless, |_| ()).unwrap_err().to_string(), "line 2 is longer than 16777216 bytes");
    }

    #[test]
    fn a_file_is_for_its_owner_and_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export.jsonl");
        std::fs::write(&path, "old").unwrap();
        let mut told = Vec::new();
        write_file(&path, &one_of_each(), |done| told.push(done)).unwrap();
        assert_eq!(told, [8]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text(&one_of_each()));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_can_not_be_written_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export.jsonl");
        std::fs::create_dir(&path).unwrap();
        assert!(write_file(&path, &one_of_each(), |_| ()).is_err());
        assert!(path.is_dir());
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_records_come_back(records in vec(any_record(), 0..20)) {
            let mut told = 0;
            prop_assert_eq!(&read_records(text(&records).as_bytes(), |done| told = done).unwrap(), &records);
            prop_assert_eq!(told, records.len() as u64);
        }

        #[test]
        fn any_change_of_a_byte_is_refused(records in vec(any_record(), 1..5), at: prop::sample::Index, bit in 0..8) {
            let mut bytes = text(&records).into_bytes();
            // The newline at the very end may be left out, or be another blank.
            let at = at.index(bytes.len() - 1);
            bytes[at] ^= 1_u8 << bit;
            let read = read_records(&*bytes, |_| ());
            // JSON has more than one way to write the header and the last line; what they say must be the same then.
            prop_assert!(read.is_err() || read.unwrap() == records);
        }
    }

    fn text(records: &[Record]) -> String {
        let mut out = Vec::new();
        write_records(records, &mut out, |_| ()).unwrap();
        String::from_utf8(out).unwrap()
    }
}
