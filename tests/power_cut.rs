//! Cuts the power: what was acknowledged is there afterwards, and what was not is there as a whole or not at all.
//!
//! The store lies on ext4 on a loop device, whose image lies in memory. A writer in a process of its own is stopped, its acknowledgements
//! are collected, and the image is copied: the copy holds what the file system has sent to the device, and nothing of what the
//! kernel kept for later. The copy is mounted as a machine would after the power came back, and every record is compared.
//! This finds every missing sync; it does not tear sectors.
//!
//! Needs root and loop devices, and says so in a line that begins with `SKIPPED` where it has to do without.

#![expect(clippy::unwrap_used, reason = "a test that can not go on has failed")]

#[path = "support/skip.rs"]
mod skip;

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
    process::{self, Child, ChildStderr, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rosterd::{
    domain::{
        AccountId, BareJid, Key, Name, Noted, Operator, Queue, QueueId, Record, Subscriber, Suspension, UnixTime,
        UserId, Who, Write,
    },
    store::{SledStore, Store, StoreError},
};
use rustix::{
    fs::{OFlags, fcntl_setfl},
    process::{Pid, Signal, WaitOptions, kill_process, waitpid},
};
use tempfile::TempDir;

const IMAGE_BYTES: u64 = 96 << 20;
/// Nothing here takes a fraction of it; what does has hung.
const PATIENCE: Duration = Duration::from_mins(1);

/// What chance follows from; another can be given in `ROSTERD_SEED`.
fn seed() -> u64 {
    env::var("ROSTERD_SEED").map_or(0x0f_2026, |seed| seed.parse().expect("ROSTERD_SEED is a number"))
}

#[test]
fn a_disk_that_is_busy_writes_into_no_later_copy() {
    let Some(disks) = Disks::try_new() else { return };
    let disk = disks.new_image("disk");
    let looked_at = disks.mount(&disks.copy(&disk, "looked at"));
    let mut busy = fs::File::create(looked_at.at.path().join("file")).unwrap();
    drop(looked_at);
    let again = disks.copy(&disk, "looked at");
    busy.write_all(&vec![7; 100_000]).and_then(|()| busy.sync_all()).unwrap();
    assert!(fs::read(again).unwrap() == fs::read(disk).unwrap());
}

#[test]
fn on_a_growing_store() {
    let Some(disks) = Disks::try_new() else { return };
    let mut report = Report::default();
    for round in 0..2 {
        let job = Job { kind: Kind::Small, seed: seed() + round, first: 0 };
        let disk = disks.mount(&disks.new_image("disk"));
        let mut chance = Chance(job.seed);
        let mut writer = Writer::start(job, &disk.state());
        let mut expected = Expected::new(job);
        for _ in 0..20 {
            writer.await_lines(1 + chance.below(60));
            expected.check(&disks, &disk, &mut writer, &mut report, "cut");
        }
    }
    report.print("a growing store");
    assert!(report.cuts >= 40 && report.acknowledged > 400);
}

#[test]
fn around_the_first_open() {
    let Some(disks) = Disks::try_new() else { return };
    let mut report = Report::default();
    let mut chance = Chance(seed());
    for round in 0..24 {
        let job = Job { kind: Kind::Small, seed: seed() + round, first: 0 };
        let disk = disks.mount(&disks.new_image("disk"));
        let mut writer = Writer::start(job, &disk.state());
        // The first line comes before the store is opened, the second after.
        writer.await_lines(1 + chance.below(4));
        chance.while_away(8_000);
        Expected::new(job).check(&disks, &disk, &mut writer, &mut report, "cut");
    }
    report.print("the first open");
    assert_eq!(report.cuts, 24);
}

#[test]
fn in_the_middle_of_large_changes() {
    let Some(disks) = Disks::try_new() else { return };
    let mut report = Report::default();
    let job = Job { kind: Kind::Large, seed: seed(), first: 0 };
    let disk = disks.mount(&disks.new_image("disk"));
    let mut chance = Chance(job.seed);
    let mut writer = Writer::start(job, &disk.state());
    let mut expected = Expected::new(job);
    for _ in 0..12 {
        writer.await_lines(1);
        chance.while_away(300_000);
        expected.check(&disks, &disk, &mut writer, &mut report, "cut");
    }
    report.print("large changes");
    assert_eq!(report.cuts, 12);
}

#[test]
fn one_after_another() {
    let Some(disks) = Disks::try_new() else { return };
    let mut report = Report::default();
    let mut chance = Chance(seed());
    let mut expected = Expected::new(Job { kind: Kind::Small, seed: seed(), first: 0 });
    let mut image = disks.new_image("cut 0");
    for round in 1..=24 {
        let disk = disks.mount(&image);
        expected.job.first = expected.changes;
        let mut writer = Writer::start(expected.job, &disk.state());
        // What is cut is now the repair of what was cut before, and now what comes after.
        writer.await_lines(1 + chance.below(3));
        chance.while_away(50_000);
        image = expected.check(&disks, &disk, &mut writer, &mut report, &format!("cut {round}"));
        drop(writer);
    }
    report.print("one after another");
    assert_eq!(report.cuts, 24);
}

/// The writer, when this binary is run as one: says when it begins, when the store is open, and which changes are acknowledged.
#[test]
fn writer() {
    let Ok(job) = env::var("ROSTERD_POWER_CUT") else { return };
    let (job, state) = job.split_once(' ').unwrap();
    let job = Job::parse(job);
    // Nobody may be there any more to end us.
    thread::spawn(|| {
        thread::sleep(2 * PATIENCE);
        process::exit(3);
    });
    say("begin");
    let mut store = SledStore::open(Path::new(state), 0).unwrap();
    say("open");
    for number in job.first.. {
        store.commit(&job.change(number)).unwrap();
        say(&format!("ack {number}"));
        if number % 50 == 49 {
            drop(store);
            store = SledStore::open(Path::new(state), 0).unwrap();
        }
    }
}

/// In one piece, past everything that the test harness does with output.
fn say(line: &str) {
    io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// What a writer writes: the same changes for the same job.
#[derive(Debug, Clone, Copy)]
struct Job {
    kind: Kind,
    seed: u64,
    /// The change to begin with.
    first: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Small,
    Large,
}

impl Job {
    fn to_text(self) -> String {
        format!("{:?}:{}:{}", self.kind, self.seed, self.first)
    }

    fn parse(text: &str) -> Self {
        let [kind, seed, first] = text.split(':').collect::<Vec<_>>().try_into().unwrap();
        let kind = if kind == "Large" { Kind::Large } else { Kind::Small };
        Self { kind, seed: seed.parse().unwrap(), first: first.parse().unwrap() }
    }

    fn change(self, number: u64) -> Vec<Write> {
        let mut chance = Chance(self.seed ^ (number + 1) << 20);
        let mut writes: Vec<_> = match self.kind {
            Kind::Small => (0..=chance.below(12)).map(|_| small(&mut chance)).collect(),
            Kind::Large => (0..6_000).map(|at| operator(1 + at % 50, 1 + at, &mut chance)).collect(),
        };
        writes.push(note(number));
        writes
    }
}

/// What the audit log says of a change: its number as the time.
fn note(number: u64) -> Write {
    let (what, at) = ("change".into(), UnixTime(number));
    let (on, before, after) = Default::default();
    Write::Note(Box::new(Noted { at, by: Who::Daemon.into(), what, account: None, on, before, after }))
}

fn small(chance: &mut Chance) -> Write {
    let queue = QueueId::new(number(1 + chance.below(60))).unwrap();
    match chance.below(10) {
        0 => {
            // Large ones are kept in parts.
            let bytes = if chance.below(2) == 0 { 40_000 } else { 10 };
            Write::Put(Record::Queue(Queue {
                id: queue,
                account: AccountId::new(1).unwrap(),
                name: Name::parse(&format!("queue{queue}"), Name::QUEUE_MOST).unwrap(),
                email: None,
                avatar: Some(
                    char::from(b'a' + u8::try_from(chance.below(26)).unwrap()).to_string().repeat(bytes).into(),
                ),
                transcripts: false,
            }))
        }
        1 => Write::Delete(Key::Queue(queue)),
        2 => {
            let jid = BareJid::parse(&format!("bob{}@example.org", chance.below(50))).unwrap();
            Write::Put(Record::Subscriber(Subscriber { queue, jid }))
        }
        3 => Write::Put(Record::NextId(number(chance.below(1 << 30)))),
        _ => operator(u64::from(queue.get()), 1 + chance.below(300), chance),
    }
}

fn operator(queue: u64, user: u64, chance: &mut Chance) -> Write {
    let (queue, user) = (QueueId::new(number(queue)).unwrap(), UserId::new(number(user)).unwrap());
    match chance.below(4) {
        0 => Write::Delete(Key::Operator(queue, user)),
        other => {
            Write::Put(Record::Operator(Operator { queue, user, suspended: (other != 1).then(Suspension::default) }))
        }
    }
}

fn number(number: u64) -> u32 {
    u32::try_from(number).unwrap()
}

/// What has to be there, as far as the acknowledgements go.
struct Expected {
    job: Job,
    changes: u64,
    records: BTreeMap<Key, Record>,
}

impl Expected {
    fn new(job: Job) -> Self {
        Self { job, changes: 0, records: BTreeMap::new() }
    }

    /// Cuts the power, compares what is there then, and gives back the image of the disk as it was. The writer goes on.
    fn check(&mut self, disks: &Disks, disk: &Disk, writer: &mut Writer, report: &mut Report, name: &str) -> PathBuf {
        writer.stop();
        let cut = disks.copy(&disk.image, name);
        writer.go_on();
        while self.changes < writer.acknowledged {
            self.make_next();
        }
        report.cuts += 1;
        report.acknowledged += self.changes;
        let looked_at = disks.mount(&disks.copy(&cut, "looked at"));
        let (found, noted) = read(looked_at.state());
        // What sled keeps outside of its log, it loses.
        assert_eq!(fs::read_dir(looked_at.state().join("store/blobs")).unwrap().count(), 0);
        // The change at hand may be there, but then as a whole; its entry says whether it is.
        let before = self.changes;
        if noted.len() > usize::try_from(before).unwrap() {
            self.make_next();
            report.ahead += 1;
        }
        assert!(
            found == self.in_order(),
            "{:?}: after {before} acknowledged changes, and {} that are noted, there should be {} records, and there are {}",
            self.job,
            noted.len(),
            self.records.len(),
            found.len()
        );
        // Each change that is there is noted, and no other.
        assert!(
            noted.iter().copied().eq((0..self.changes).rev()),
            "{:?}: {} of {}",
            self.job,
            noted.len(),
            self.changes
        );
        cut
    }

    fn in_order(&self) -> Vec<Record> {
        self.records.values().cloned().collect()
    }

    fn make_next(&mut self) {
        for write in self.job.change(self.changes) {
            match write {
                Write::Put(record) => drop(self.records.insert(record.key(), record)),
                Write::Delete(key) => drop(self.records.remove(&key)),
                Write::Note(_) | Write::Forget(_) => {}
            }
        }
        self.changes += 1;
    }
}

/// Reads a store and the changes that its audit log tells of, newest first, and fails when that does not end.
fn read(state: PathBuf) -> (Vec<Record>, Vec<u64>) {
    let (done, result) = mpsc::sync_channel(1);
    let work = move || {
        let mut store = SledStore::open(&state, 0)?;
        let noted = store.trail().before(None, usize::MAX)?;
        Ok::<_, StoreError>((store.load()?, noted.iter().map(|(_, noted)| noted.at.0).collect()))
    };
    thread::spawn(move || done.send(work()));
    result.recv_timeout(PATIENCE).expect("the store opens in time").expect("the store opens")
}

#[derive(Default)]
struct Report {
    cuts: u32,
    acknowledged: u64,
    ahead: u32,
}

impl Report {
    fn print(&self, what: &str) {
        let Self { cuts, acknowledged, ahead } = self;
        let line = format!(
            "power cut, {what}: {cuts} cuts, {acknowledged} acknowledged changes looked for, 0 lost; {ahead} with one more"
        );
        say(&format!("{line} (seed {})", seed()));
    }
}

/// A writer in a process of its own, which ends with this.
struct Writer {
    child: Child,
    output: ChildStderr,
    text: Vec<u8>,
    lines: u64,
    acknowledged: u64,
}

impl Writer {
    fn start(job: Job, state: &Path) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture"])
            .env("ROSTERD_POWER_CUT", format!("{} {}", job.to_text(), state.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.stderr.take().unwrap();
        Self { child, output, text: Vec::new(), lines: 0, acknowledged: 0 }
    }

    fn await_lines(&mut self, count: u64) {
        let enough = self.lines + count;
        while self.lines < enough {
            self.take_output().unwrap();
        }
    }

    /// When this returns, nothing of it runs, and all that it has said has been taken in.
    fn stop(&mut self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
        let stopped = waitpid(Some(self.pid()), WaitOptions::UNTRACED).unwrap();
        assert!(stopped.is_some_and(|(_, status)| status.stopped()), "the writer ended by itself");
        fcntl_setfl(&self.output, OFlags::NONBLOCK).unwrap();
        let end = loop {
            if let Err(error) = self.take_output() {
                break error;
            }
        };
        assert_eq!(end.kind(), io::ErrorKind::WouldBlock);
        fcntl_setfl(&self.output, OFlags::empty()).unwrap();
    }

    fn go_on(&mut self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn take_output(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4_096];
        let count = self.output.read(&mut buffer)?;
        assert!(count > 0, "the writer ended by itself: {}", String::from_utf8_lossy(&self.text));
        self.text.extend(&buffer[..count]);
        while let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8(self.text.drain(..=end).collect()).unwrap();
            match line.trim_end().split_once(' ') {
                Some(("ack", number)) => self.acknowledged = number.parse::<u64>().unwrap() + 1,
                Some(_) => panic!("the writer says: {line}"),
                None => assert!(["begin", "open"].contains(&line.trim_end()), "the writer says: {line}"),
            }
            self.lines += 1;
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where images of disks lie: in memory.
struct Disks(TempDir);

impl Disks {
    fn try_new() -> Option<Self> {
        let disks = tempfile::tempdir_in("/dev/shm").map(Self).map_err(|error| format!("no /dev/shm: {error}"));
        let tried = disks.and_then(|disks| {
            let image = disks.try_new_image("trial")?;
            disks.try_mount(&image)?;
            Ok(disks)
        });
        tried.map_err(|why| skip::skip(&format!("power cuts: they need root and loop devices: {why}"))).ok()
    }

    fn new_image(&self, name: &str) -> PathBuf {
        self.try_new_image(name).unwrap()
    }

    fn try_new_image(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.0.path().join(name).with_extension("img");
        let image = fs::File::create(&path).and_then(|file| file.set_len(IMAGE_BYTES));
        image.map_err(|error| error.to_string())?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&path))?;
        Ok(path)
    }

    fn copy(&self, image: &Path, name: &str) -> PathBuf {
        let path = self.0.path().join(name).with_extension("img");
        // A disk of this name that is busy still goes on with the file that it has, which is nobody else's then.
        let _ = fs::remove_file(&path);
        // Most of a disk is empty, and is passed over.
        run(Command::new("cp").arg("--sparse=always").arg(image).arg(&path)).unwrap();
        path
    }

    fn mount(&self, image: &Path) -> Disk {
        self.try_mount(image).unwrap()
    }

    fn try_mount(&self, image: &Path) -> Result<Disk, String> {
        let at = tempfile::tempdir_in(self.0.path()).map_err(|error| error.to_string())?;
        run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(at.path()))?;
        Ok(Disk { image: image.to_owned(), at })
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(format!("{}: {said}", command.get_program().display())) }
}

/// A disk that is mounted as long as this lives.
struct Disk {
    image: PathBuf,
    at: TempDir,
}

impl Disk {
    fn state(&self) -> PathBuf {
        self.at.path().join("state")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A store that was closed a moment ago may keep it busy: then it goes when that is over.
        let gone = run(Command::new("umount").arg(self.at.path()));
        let _ = gone.or_else(|_| run(Command::new("umount").arg("--lazy").arg(self.at.path())));
    }
}

/// The numbers that follow from a seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        // Steele, Lea and Flood: Fast splittable pseudorandom number generators (2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Any moment of what goes on elsewhere should be met.
    fn while_away(&mut self, most_micros: u64) {
        thread::sleep(Duration::from_micros(self.below(most_micros)));
    }
}
