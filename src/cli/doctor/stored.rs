//! The store: every record and every entry of the audit log is read, and they are put together as at a start.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder},
    io::{BufRead, BufReader},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::{
    super::{Failure, daemon},
    finding::Finding,
    machine,
};
use crate::{
    app,
    clock::{self, Clock},
    config::Settings,
    domain::{Name, Record},
    http::admin::Form,
    store::{
        self, Backup, SledStore, Store, StoreError,
        dump::{self, DumpError},
        snapshot::Item,
    },
    telemetry,
};

const CHECK: &str = "store";
const WAY_OUT: &str = "stop rosterd, and put the newest backup back with `rosterd restore --force FILE`, which keeps what is there; without a \
     backup, `rosterd doctor --salvage FILE` saves what can be read";
/// How far the newest entry may be ahead of the clock.
const AHEAD_MOST: u64 = 60;

/// Of a store that a daemon uses.
pub(super) fn through_daemon(settings: &Settings) -> Vec<Finding> {
    let read = || -> Result<Result<Backup, DumpError>, Failure> {
        daemon::runtime()?.block_on(async {
            let stream = daemon::connect(&settings.admin.socket).await?.ok_or_else(daemon::strange_reply)?;
            daemon::dump(stream, Form::Backup, read).await
        })
    };
    match read() {
        Ok(Ok(backup)) => look_at(settings, backup),
        Ok(Err(DumpError::BrokenOff(why))) => vec![Finding::problem(CHECK, why, WAY_OUT)],
        Ok(Err(error)) => vec![Finding::problem(CHECK, telemetry::chain(&error), "look into the log of rosterd")],
        Err(failure) => vec![Finding::problem(CHECK, failure, "look into the log of rosterd")],
    }
}

fn read(mut input: &mut dyn BufRead) -> Result<Backup, DumpError> {
    let mut backup = Backup::default();
    dump::read_parts(BufReader::new(&mut input), |part| backup.take(part))?;
    Ok(backup)
}

/// Of a store that nobody uses: of a copy.
pub(super) fn in_copy(settings: &Settings) -> Vec<Finding> {
    let state = &settings.store.path;
    let copied = Copied::make(state).and_then(|copy| match copy {
        None => Ok(None),
        Some(copy) => copy.read().map(Some),
    });
    match copied {
        Ok(None) => {
            vec![Finding::ok(CHECK, format!("there is none in {} yet: the first start makes it", state.display()))]
        }
        Ok(Some(backup)) => look_at(settings, backup),
        Err(finding) => vec![finding],
    }
}

fn look_at(settings: &Settings, backup: Backup) -> Vec<Finding> {
    let Backup { records, audit, .. } = backup;
    let newest = audit.last().map(|(_, noted)| noted.at);
    let (count, entries) = (records.len(), audit.len());
    drop(audit);
    let missing = not_there(settings, &records);
    let fit = app::desk_of(settings, records).map(drop);
    let stored = match fit {
        Ok(()) => Finding::ok(CHECK, format!("{count} records and {entries} entries of the audit log, all good")),
        Err(what) => Finding::problem(CHECK, what, WAY_OUT),
    };
    let now = Clock::System.now();
    let clock = match newest {
        Some(newest) if newest.0 > now.0 + AHEAD_MOST => Finding::problem(
            "clock",
            format!("it is {}, and something was stored at {}", clock::write(now), clock::write(newest)),
            "set the clock of this machine (timedatectl): suspensions and sessions would end at wrong times",
        ),
        Some(newest) => Finding::ok(
            "clock",
            format!("it is {}, after what was stored last ({})", clock::write(now), clock::write(newest)),
        ),
        None => Finding::ok("clock", format!("it is {}", clock::write(now))),
    };
    [stored, clock].into_iter().chain(missing).collect()
}

/// The queues in `[metrics] queues` that there are not: no alert ever tells of these.
fn not_there(settings: &Settings, records: &[Record]) -> Option<Finding> {
    let queues = records.iter().filter_map(|record| if let Record::Queue(queue) = record { Some(queue) } else { None });
    let there: BTreeSet<_> = queues.map(|queue| &queue.name).collect();
    let missing = settings.metrics.queues.iter().filter(|name| !there.contains(name));
    let missing: Vec<_> = missing.map(Name::as_str).collect();
    let what = || format!("[metrics] queues names what is no queue: {}", missing.join(", "));
    (!missing.is_empty()).then(|| Finding::warning("metrics", what(), "name queues as `rosterd status` does"))
}

/// A copy of the store, for as long as this lives.
pub(super) struct Copied {
    state: PathBuf,
    scratch: PathBuf,
}

impl Copied {
    pub(super) fn make(state: &Path) -> Result<Option<Self>, Finding> {
        let scratch = std::env::temp_dir().join(format!("rosterd-doctor-{}", std::process::id()));
        let text = |error: StoreError| finding(&error, telemetry::chain(&error));
        let size = store::size(state).map_err(text)?;
        let free = machine::room(&scratch).unwrap_or(u64::MAX);
        if free < size {
            let what = format!("a copy of it takes {size} bytes, and {} has only {free} free", scratch.display());
            return Err(Finding::warning(
                CHECK,
                what,
                "name a folder with more room in TMPDIR, or ask while rosterd runs",
            ));
        }
        // Left over by one that was killed and had the same number.
        let _ = fs::remove_dir_all(&scratch);
        let made = DirBuilder::new().mode(0o700).create(&scratch);
        made.map_err(|error| {
            let what = format!("it was not read: no copy can be made in {}: {error}", scratch.display());
            Finding::warning(CHECK, what, "name a folder that can be written to in TMPDIR")
        })?;
        let copied = Self { state: state.to_owned(), scratch };
        let is_there = store::copy(state, &copied.scratch).map_err(text)?;
        Ok(is_there.then_some(copied))
    }

    fn read(&self) -> Result<Backup, Finding> {
        self.read_all().map_err(|error| finding(&error, self.in_words(&error)))
    }

    /// What `question` finds in the copy, or why not, in words.
    pub(super) fn asked<T>(&self, question: impl FnOnce(&Path) -> Result<T, StoreError>) -> Result<T, String> {
        question(&self.scratch).map_err(|error| self.in_words(&error))
    }

    /// Nobody knows the copy.
    fn in_words(&self, error: &StoreError) -> String {
        telemetry::chain(error).replace(&self.scratch.display().to_string(), &self.state.display().to_string())
    }

    fn read_all(&self) -> Result<Backup, StoreError> {
        let mut store = SledStore::open(&self.scratch, 0)?;
        let mut backup = Backup { records: store.load()?, ..Backup::default() };
        let mut snapshot = store.trail().snapshot(true)?;
        loop {
            let items = snapshot.turn()?;
            if items.is_empty() {
                return Ok(backup);
            }
            let noted = items.into_iter().filter_map(|item| match item {
                Item::Noted(number, noted) => Some((number, noted)),
                Item::Record(_) => None,
            });
            backup.audit.extend(noted);
        }
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

fn finding(error: &StoreError, what: String) -> Finding {
    let is_refused =
        matches!(error, StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied);
    match error {
        StoreError::Damaged { .. } | StoreError::Foreign { .. } => Finding::problem(CHECK, what, WAY_OUT),
        StoreError::InUse { .. } => {
            let to_do = "see what that process does: it has the store, and does not answer on the admin socket ([admin] socket)";
            Finding::problem(CHECK, what, to_do)
        }
        StoreError::Io { .. } if is_refused => {
            Finding::problem(CHECK, what, "run this as root, or as the user that rosterd runs as")
        }
        StoreError::Io { .. }
        | StoreError::Short { .. }
        | StoreError::Full { .. }
        | StoreError::Failed { .. }
        | StoreError::There(_)
        | StoreError::Overtaken(_)
        | StoreError::Stopped => Finding::problem(CHECK, what, "look at the disk"),
    }
}
