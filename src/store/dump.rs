//! Everything that is kept, as a file: what `rosterd export` writes and `rosterd import` reads.
//!
//! JSON lines. The first says what the file is, each further one holds one record, and the last has the number of records
//! and the SHA-256 of all bytes before it, so `head -n -1 FILE | sha256sum` tells what the last line should.

use std::{
    borrow::Cow,
    io::{self, BufRead, Read as _, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    folder,
    record::{self, Owners, Shape, WriteShape},
};
use crate::domain::{BareJid, Cause, Name, Record, Write};

/// The version of the format that is written. The records are those of [`record::VERSION`]; versions before it are read too.
pub const VERSION: u32 = 3;
/// The first version that is read.
const OLDEST: u32 = 1;

/// The most bytes of a line that are read. A record is far smaller; a file of another kind may have no lines at all.
pub const LINE_MOST: usize = 16 << 20;

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

/// Writes an export. `progress` is told how many records have been written, now and then and at the end.
///
/// # Errors
/// What `out` answers.
pub fn write_records(records: &[Record], out: impl io::Write, progress: impl FnMut(u64)) -> io::Result<()> {
    write_lines(records, None, out, progress)
}

/// Reads an export. `progress` is told how many records have been read, now and then and at the end. The records come as they
/// stand in the file: each is good in itself, but whether they fit together is not looked at.
///
/// # Errors
/// The first line that is wrong, and how.
pub fn read_records(input: impl BufRead, progress: impl FnMut(u64)) -> Result<Vec<Record>, DumpError> {
    read_lines(input, Owners::new(), progress).map(|(records, _)| records)
}

/// Writes an export to a file that only its owner can read. When this returns, it is there even after a loss of power; else what was
/// at `path` before is still there.
///
/// # Errors
/// What the operating system answers.
pub fn write_file(path: &Path, records: &[Record], progress: impl FnMut(u64)) -> io::Result<()> {
    folder::write_whole(path, |file| {
        let mut out = io::BufWriter::new(file);
        write_lines(records, None, &mut out, progress)?;
        out.flush()
    })
}

/// As [`write_file`], for a change that is to be made, whose first entry of the audit log has the number `next`.
pub(super) fn write_change(path: &Path, change: &[Write], next: u64) -> io::Result<()> {
    folder::write_whole(path, |file| {
        let mut out = io::BufWriter::new(file);
        write_lines(change, Some(next), &mut out, |_| ())?;
        out.flush()
    })
}

/// Reads what [`write_change`] wrote, where there were these accounts.
pub(super) fn read_change(input: impl BufRead, owners: Owners) -> Result<(Vec<Write>, u64), DumpError> {
    let (change, next) = read_lines(input, owners, |_| ())?;
    Ok((change, next.unwrap_or_default()))
}

/// What can stand on a line.
trait Line: Sized {
    /// What a file of these is called.
    const FILE: &'static str;
    fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()>;
    fn read(line: &[u8], owners: &mut Owners) -> Result<Self, String>;
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    rosterd: Cow<'a, str>,
    version: u32,
    /// In a change: the number of the next entry of the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Footer {
    End { records: u64, sha256: String },
}

/// How the last line begins, and no other.
const FOOTER: &[u8] = b"{\"end\":";

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
    mut out: impl io::Write,
    mut progress: impl FnMut(u64),
) -> io::Result<()> {
    let mut hasher = Sha256::new();
    let mut line = Vec::new();
    let mut send = |line: &mut Vec<u8>| {
        line.push(b'\n');
        hasher.update(&*line);
        out.write_all(line)?;
        line.clear();
        io::Result::Ok(())
    };
    serde_json::to_writer(&mut line, &Header { rosterd: T::FILE.into(), version: VERSION, next })?;
    send(&mut line)?;
    let mut done = 0_u64;
    for item in items {
        item.write(&mut line)?;
        send(&mut line)?;
        done += 1;
        if done.is_multiple_of(PROGRESS_EVERY) {
            progress(done);
        }
    }
    progress(done);
    let footer = Footer::End { records: done, sha256: record::to_hex(&hasher.finalize()) };
    serde_json::to_writer(&mut line, &footer)?;
    line.push(b'\n');
    out.write_all(&line)
}

fn read_lines<T: Line>(
    mut input: impl BufRead,
    mut owners: Owners,
    mut progress: impl FnMut(u64),
) -> Result<(Vec<T>, Option<u64>), DumpError> {
    let mut hasher = Sha256::new();
    let mut items = Vec::new();
    let mut text = Vec::new();
    read_line(&mut input, 1, &mut text)?;
    let next = check_header::<T>(&text)?;
    hasher.update(&text);
    for line in 2.. {
        read_line(&mut input, line, &mut text)?;
        if text.starts_with(FOOTER) {
            check_footer(&text, line, items.len() as u64, &record::to_hex(&hasher.finalize()))?;
            check_end(input, line + 1)?;
            break;
        }
        // A line without its end has been cut, and what is left of it should not be taken for a bad record.
        if text.last() != Some(&b'\n') {
            return Err(DumpError::Truncated { line: line - 1 });
        }
        items.push(T::read(&text, &mut owners).map_err(|what| DumpError::Record { line, what })?);
        hasher.update(&text);
        if (items.len() as u64).is_multiple_of(PROGRESS_EVERY) {
            progress(items.len() as u64);
        }
    }
    progress(items.len() as u64);
    Ok((items, next))
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

fn check_header<T: Line>(text: &[u8]) -> Result<Option<u64>, DumpError> {
    let header = serde_json::from_slice::<Header>(text).ok().filter(|header| header.rosterd == T::FILE);
    let header = header.ok_or(DumpError::Foreign { wanted: T::FILE })?;
    match header.version {
        OLDEST..=VERSION => Ok(header.next),
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
