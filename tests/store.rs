//! The store on disk among other processes, on a full disk, and after damage of every sort.
//!
//! What holds throughout: a store gives back exactly what was acknowledged, or it says what is wrong.

#![expect(clippy::unwrap_used, reason = "a test that can not go on has failed")]

#[path = "support/skip.rs"]
mod skip;

use std::{
    env, fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rosterd::{
    domain::{AccountId, Name, Queue, QueueId, Record, Session, TokenHash, UnixTime, Write},
    store::{Backup, SledStore, Store, StoreError},
};
use tempfile::TempDir;

/// Nothing here takes a fraction of it; what does has hung.
const PATIENCE: Duration = Duration::from_mins(1);

/// What chance follows from; another can be given in `ROSTERD_SEED`.
fn seed() -> u64 {
    env::var("ROSTERD_SEED").map_or(0x5eed_2026, |seed| seed.parse().expect("ROSTERD_SEED is a number"))
}

#[test]
fn a_second_process_is_told_who_has_the_store() {
    let state = tempfile::tempdir().unwrap();
    let mut holder = Holder::start(state.path());
    let error = SledStore::open(state.path(), 0).unwrap_err();
    let pid = holder.0.id();
    assert!(matches!(error, StoreError::InUse { holder: Some(found), .. } if found == pid), "{error}");
    assert!(error.to_string().contains(&format!("in use by process {pid}")), "{error}");
    // Killed, it leaves nothing behind that keeps others out.
    holder.0.kill().unwrap();
    holder.0.wait().unwrap();
    SledStore::open(state.path(), 0).unwrap();
}

/// The other process, when this binary is run as one: has the store until its input ends.
#[test]
fn holder() {
    let Some(state) = env::var_os("ROSTERD_STORE_HOLDER") else { return };
    let _store = SledStore::open(Path::new(&state), 0).unwrap();
    say("open");
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_store_that_can_not_be_made_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let check = |path: &Path, what: &str| {
        let error = SledStore::open(path, 0).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    };
    check(&file, "could not open");
    check(&file.join("below"), "could not make the folder");
    // Root may write everywhere but here.
    check(Path::new("/proc/rosterd"), "could not make the folder /proc/rosterd");
    let other = folder.path().join("other");
    fs::create_dir_all(other.join("store")).unwrap();
    check(&other, "rosterd-format is missing");
}

#[test]
fn damage_is_never_silent() {
    let folder = tempfile::tempdir().unwrap();
    let (template, full) = filled(folder.path());
    let files = files(&template.join("store"));
    assert!(files.iter().any(|name| name.starts_with("snap.")), "{files:?}");
    let mut chance = Chance(seed());
    let mut tally = Tally::default();
    for file in &files {
        let times = if file == "db" { 40 } else { 6 };
        for kind in [Damage::Cut, Damage::Flip, Damage::Zero, Damage::Lengthen] {
            for _ in 0..times {
                tally.count(&try_damaged(&template, &full, file, kind, &mut chance));
            }
        }
        tally.count(&try_damaged(&template, &full, file, Damage::Remove, &mut chance));
    }
    let Tally { whole, refused } = tally;
    say(&format!("damage: {whole} stores gave back everything, {refused} were refused (seed {})", seed()));
    assert!(whole > 0 && refused > 0);
}

#[test]
fn a_database_that_was_put_back_from_yesterday_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (template, _) = filled(folder.path());
    let yesterday = fs::read(template.join("store/db")).unwrap();
    let mut store = SledStore::open(&template, 0).unwrap();
    store.commit(&change(1_000, 3)).unwrap();
    drop(store);
    fs::write(template.join("store/db"), yesterday).unwrap();
    let error = SledStore::open(&template, 0).and_then(|mut store| store.load()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("rosterd restore --force FILE") && text.contains("rosterd doctor"), "{text}");
}

#[test]
fn what_was_acknowledged_survives_a_full_disk() {
    for (round, size) in [3_usize, 400, 3_000].into_iter().enumerate() {
        let Some(disk) = Disk::try_new(12) else { return };
        let mut store = SledStore::open(&disk.state(), 0).unwrap();
        disk.take_room(6);
        let mut acknowledged = Vec::new();
        let mut number = 0;
        let (failing, error) = loop {
            let change = change(number, size);
            match store.commit(&change) {
                Ok(()) => acknowledged.extend(records(&change)),
                Err(error) => break (records(&change), error),
            }
            number += 1;
        };
        assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
        assert!(error.to_string().contains("is full") && error.to_string().contains("make room"), "{error}");
        for _ in 0..2 {
            let again = store.commit(&[Write::Put(Record::NextId(7))]).unwrap_err();
            assert!(matches!(again, StoreError::Failed { .. }), "{again:?}");
        }
        drop(store);
        // While the disk is full it may not open; that must not cost anything either.
        let full = SledStore::open(&disk.state(), 0).and_then(|mut store| store.load());
        disk.give_room();
        let mut store = SledStore::open(&disk.state(), 0).unwrap();
        let with_failing = [&acknowledged[..], &failing[..]].concat();
        for found in full.into_iter().chain([store.load().unwrap()]) {
            assert!(found == acknowledged || found == with_failing, "round {round}: {} found", found.len());
        }
        store.commit(&change(number + 1, 3)).unwrap();
        say(&format!("full disk: {number} changes of {size} before it was full, none lost"));
    }
}

#[test]
fn a_large_change_on_a_full_disk_is_there_as_a_whole_or_not_at_all() {
    for megabytes in 1..=6 {
        let Some(disk) = Disk::try_new(14) else { return };
        let mut store = SledStore::open(&disk.state(), 0).unwrap();
        let before = records(&change(0, 10));
        store.commit(&change(0, 10)).unwrap();
        disk.leave_room(megabytes);
        let large = change(1, 12_000);
        let result = store.commit(&large);
        let refused = matches!(result, Err(StoreError::Full { .. }));
        assert!(refused || result.is_ok(), "{result:?}");
        drop(store);
        // It may want to finish what was broken off, for which there is no room.
        let reopened = SledStore::open(&disk.state(), 0).and_then(|mut store| store.load());
        disk.give_room();
        let found = SledStore::open(&disk.state(), 0).unwrap().load().unwrap();
        let whole = [&before[..], &records(&large)[..]].concat();
        for found in reopened.into_iter().chain([found]) {
            assert!(found == whole || (refused && found == before), "{megabytes} MB: {} found", found.len());
        }
    }
}

#[test]
fn a_restore_on_a_full_disk_leaves_what_was_there() {
    for megabytes in 1..=6 {
        let Some(disk) = Disk::try_new(20) else { return };
        let (old, new) = (records(&change(0, 10)), records(&change(1, 12_000)));
        SledStore::open(&disk.state(), 0).unwrap().commit(&change(0, 10)).unwrap();
        disk.leave_room(megabytes);
        let backup = Backup { records: new.clone(), ..Backup::default() };
        let result = SledStore::restore(&disk.state(), 0, backup, true, "before");
        let refused = matches!(result, Err(StoreError::Full { .. }));
        assert!(refused || result.is_ok(), "{result:?}");
        disk.give_room();
        let found = SledStore::open(&disk.state(), 0).unwrap().load().unwrap();
        assert!(found == if refused { old } else { new }, "{megabytes} MB: {} found", found.len());
    }
}

#[test]
fn room_is_kept_free() {
    let Some(disk) = Disk::try_new(32) else { return };
    let floor = 16 << 20;
    let mut store = SledStore::open(&disk.state(), floor).unwrap();
    let mut number = 0;
    let error = loop {
        match store.commit(&change(number, 500)) {
            Ok(()) => number += 1,
            Err(error) => break error,
        }
    };
    let StoreError::Short { free, floor: said, .. } = error else { panic!("{error:?}") };
    assert!(said == floor && free < floor && free > floor / 2, "{free}");
    assert!(matches!(store.commit(&change(number, 1)), Err(StoreError::Short { .. })), "and again");
    drop(store);
    // There is room enough to start again and read.
    let found = SledStore::open(&disk.state(), floor).unwrap().load().unwrap();
    assert_eq!(found.len() as u64, number * 500);
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    Cut,
    Flip,
    Zero,
    Lengthen,
    Remove,
}

/// Damages one file of a copy and looks at what the store says; the sentence, when it refuses.
fn try_damaged(
    template: &Path,
    full: &[Record],
    name: &str,
    damage: Damage,
    chance: &mut Chance,
) -> Result<(), String> {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(template, copy.path());
    let what = make_damage(&copy.path().join("store").join(name), damage, chance);
    let what = format!("{name}: {damage:?} {what}");
    let found = in_time(&what, {
        let state = copy.path().to_owned();
        move || use_store(&state)
    });
    match found {
        Ok(records) => {
            assert_eq!(records.len(), full.len(), "{what}");
            assert!(records == full, "{what}: other records");
            Ok(())
        }
        Err(error) => {
            let clear = matches!(error, StoreError::Damaged { .. } | StoreError::Foreign { .. });
            assert!(clear, "{what}: {error:?}");
            Err(error.to_string())
        }
    }
}

/// Reads a store, and sees that it goes on working where it could be read.
fn use_store(state: &Path) -> Result<Vec<Record>, StoreError> {
    let mut store = SledStore::open(state, 0)?;
    let records = store.load()?;
    store.commit(&change(5_000, 40))?;
    drop(store);
    let mut store = SledStore::open(state, 0)?;
    let (more, added) = (store.load()?, self::records(&change(5_000, 40)));
    assert!(more.len() == records.len() + added.len() && added.iter().all(|record| more.contains(record)));
    Ok(records)
}

fn make_damage(path: &Path, damage: Damage, chance: &mut Chance) -> String {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let len = file.metadata().unwrap().len();
    let at = chance.below(len);
    match damage {
        Damage::Cut => file.set_len(at).unwrap(),
        Damage::Flip => {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ 1 << chance.below(8)], at).unwrap();
        }
        Damage::Zero => file.write_all_at(&vec![0; usize::try_from((len - at).min(4_096)).unwrap()], at).unwrap(),
        Damage::Lengthen => file.write_all_at(&vec![0xa5; 1 + usize::try_from(at).unwrap()], len).unwrap(),
        Damage::Remove => fs::remove_file(path).unwrap(),
    }
    format!("at {at} of {len}")
}

/// What `work` gives, or a failure when it never ends.
fn in_time<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::sync_channel(1);
    thread::spawn(move || done.send(work()));
    result.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{what}: {error}"))
}

#[derive(Default)]
struct Tally {
    whole: u32,
    refused: u32,
}

impl Tally {
    fn count(&mut self, outcome: &Result<(), String>) {
        match outcome {
            Ok(()) => self.whole += 1,
            Err(_) => self.refused += 1,
        }
    }
}

/// A store with some life behind it: several openings, records written over and removed, and some too large for the log.
fn filled(folder: &Path) -> (PathBuf, Vec<Record>) {
    let state = folder.join("template");
    for round in 0..3 {
        let mut store = SledStore::open(&state, 0).unwrap();
        for number in 0..40 {
            store.commit(&change(number, 25)).unwrap();
        }
        let gone: Vec<_> = records(&change(round, 25)).iter().map(|record| Write::Delete(record.key())).collect();
        store.commit(&gone).unwrap();
        store.commit(&[large_queue(1), large_queue(2)]).unwrap();
    }
    let full = SledStore::open(&state, 0).unwrap().load().unwrap();
    assert_eq!(full.len(), 39 * 25 + 2);
    (state, full)
}

/// `size` records that no other number has, in the order of their keys.
fn change(number: u64, size: usize) -> Vec<Write> {
    let record = |at: usize| {
        let mut token = [0; 32];
        token[..8].copy_from_slice(&number.to_be_bytes());
        token[8..16].copy_from_slice(&(at as u64).to_be_bytes());
        let (login, from) = (Name::parse("acme", Name::QUEUE_MOST).unwrap(), None);
        let (account, created, used) = (AccountId::new(1).unwrap(), UnixTime(number), UnixTime(at as u64));
        Record::Session(Session { token: TokenHash(token), account, login, created, used, from })
    };
    (0..size).map(|at| Write::Put(record(at))).collect()
}

fn large_queue(id: u32) -> Write {
    Write::Put(Record::Queue(Queue {
        id: QueueId::new(id).unwrap(),
        account: AccountId::new(1).unwrap(),
        name: Name::parse(&format!("queue{id}"), Name::QUEUE_MOST).unwrap(),
        email: None,
        avatar: Some("x".repeat(200_000).into()),
        transcripts: false,
    }))
}

fn records(change: &[Write]) -> Vec<Record> {
    let record = |write: &Write| match write {
        Write::Put(record) => Some(record.clone()),
        Write::Delete(_) | Write::Note(_) | Write::Forget(_) => None,
    };
    change.iter().filter_map(record).collect()
}

/// The names of all files in a folder and below, in order.
fn files(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            names.extend(files(&entry.path()).iter().map(|below| format!("{name}/{below}")));
        } else {
            names.push(name);
        }
    }
    names.sort();
    names
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("store/blobs")).unwrap();
    for name in files(from) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

/// Another process that has a store; it ends with this.
struct Holder(Child);

impl Holder {
    fn start(state: &Path) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "holder", "--nocapture"])
            .env("ROSTERD_STORE_HOLDER", state)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines().next();
        let holder = Self(child);
        assert_eq!(said.unwrap().unwrap(), "open");
        holder
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A small disk in memory, mounted as long as this lives.
struct Disk(TempDir);

impl Disk {
    fn try_new(megabytes: u64) -> Option<Self> {
        let at = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "rosterd-test"]).arg(at.path()).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(at)),
            Ok(output) => skipped(&String::from_utf8_lossy(&output.stderr)),
            Err(error) => skipped(&error.to_string()),
        }
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    /// Fills so much of the disk.
    fn take_room(&self, megabytes: usize) {
        fs::write(self.0.path().join("ballast"), vec![1; megabytes << 20]).unwrap();
    }

    /// Fills the disk but for so much.
    fn leave_room(&self, megabytes: u64) {
        let disk = rustix::fs::statvfs(self.0.path()).unwrap();
        let free = disk.f_bavail * disk.f_frsize;
        self.take_room(usize::try_from((free >> 20).saturating_sub(megabytes)).unwrap());
    }

    fn give_room(&self) {
        fs::remove_file(self.0.path().join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A store that was closed a moment ago may keep it busy: then it goes when that is over.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

fn skipped<T>(why: &str) -> Option<T> {
    skip::skip(&format!("full disks: they need root and a tmpfs of their own: {}", why.trim()));
    None
}

/// In one piece, past everything that the test harness does with output.
fn say(line: &str) {
    io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// The numbers that follow from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        // Steele, Lea and Flood: Fast splittable pseudorandom number generators (2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % end
    }
}
