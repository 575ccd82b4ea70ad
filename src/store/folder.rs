//! The folder that the store lies in: who may use it, how it comes to be, and how to tell that it is ours and whole.
//!
//! ```text
//! <state>/lock              held by the one process that uses the store
//! <state>/store/            the database's own folder
//!     rosterd-format        says that we made it, and with what
//!     rosterd-acknowledged  how many commits have been acknowledged
//!     rosterd-pending       a large change that is being made
//! <state>/store.new/        a store that is being made; left over, it was broken off and holds nothing
//! <state>/store.restoring/  the same, made from a backup
//! <state>/store.restored/   one that is made, and is about to become <state>/store; where there is none, it is that
//!     rosterd-files         in a store from a backup: files of the state folder that are to be put in place
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use super::{StoreError, dump::Kept};

/// What the marker says. Another release of the database opens a folder of this one silently as an empty one, and the other way
/// round; so this line changes with every release of it that reads another format.
const FORMAT: &str = "rosterd store 1, sled 0.34\n";

/// How often, and how far apart, it is tried whether the database has been given up.
const RELEASE_TRIES: u32 = 1_000;
const RELEASE_PAUSE: Duration = Duration::from_millis(5);

/// A state folder that is ours as long as this lives.
#[derive(Debug)]
pub(super) struct Folder {
    state: PathBuf,
    min_free: Arc<AtomicU64>,
    _lock: File,
}

impl Folder {
    /// Takes the folder `state`, and makes it first where it is missing. `min_free` bytes are to stay free on its disk.
    pub(super) fn take(state: &Path, min_free: u64) -> Result<Self, StoreError> {
        if !state.exists() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(state);
            made.and_then(|()| sync_folder(parent(state))).map_err(failed("could not make the folder", state))?;
        }
        let path = state.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let lock = lock.map_err(failed("could not open", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { state: state.to_owned(), min_free: Arc::new(min_free.into()), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(in_use(state, &lock)),
            Err(TryLockError::Error(source)) => Err(failed("could not lock", &path)(source)),
        }
    }

    /// The database's own folder.
    pub(super) fn store(&self) -> PathBuf {
        self.state.join("store")
    }

    /// The file with a large change that is being made.
    pub(super) fn pending(&self) -> PathBuf {
        self.store().join("rosterd-pending")
    }

    /// Makes the store, filled by `fill`, all or nothing; one that is there is looked at. A restore that was broken off is
    /// finished, or forgotten where it had not come to that.
    pub(super) fn prepare(&self, fill: impl FnOnce(&Path) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let (store, restored) = (self.store(), self.state.join("store.restored"));
        if self.has_store()? {
            forget(&restored)?;
            self.check()?;
            return self.place_files();
        }
        if restored.try_exists().map_err(failed("could not look at", &restored))? {
            self.rename(&restored, &store)?;
            self.check()?;
            return self.place_files();
        }
        let new = self.state.join("store.new");
        make_anew(&new).map_err(|error| self.unwritten("could not make", &new, error))?;
        fill(&new)?;
        self.finish(&new, &store, 0).map_err(|error| self.unwritten("could not make", &store, error))
    }

    /// Whether there is something in the place of the store.
    pub(super) fn has_store(&self) -> Result<bool, StoreError> {
        let store = self.store();
        store.try_exists().map_err(failed("could not look at", &store))
    }

    /// Puts a store that `fill` fills, and these files of the state folder, in the place of what there is, all or nothing:
    /// what is done after this was broken off is done by [`Folder::prepare`]. `fill` tells how many commits it made. What there was gets
    /// `ending` to its name; gives back where the store is then.
    pub(super) fn replace(
        &self,
        ending: &str,
        files: &[Kept],
        fill: impl FnOnce(&Path) -> Result<u64, StoreError>,
    ) -> Result<Option<PathBuf>, StoreError> {
        let [making, made] = ["store.restoring", "store.restored"].map(|name| self.state.join(name));
        forget(&made)?;
        make_anew(&making).map_err(|error| self.unwritten("could not make", &making, error))?;
        let filled = fill(&making).and_then(|commits| {
            let list = Files { ending: ending.to_owned(), files: files.to_vec() };
            let text = serde_json::to_string(&list).expect("it has no map, and a string takes all");
            let written = fs::write(making.join("rosterd-files"), text);
            let written = written.and_then(|()| self.finish(&making, &made, commits));
            written.map_err(|error| self.unwritten("could not make", &made, error))
        });
        if let Err(error) = filled {
            // The room may be wanted; what is left is removed by who comes next.
            let _ = fs::remove_dir_all(&making);
            return Err(error);
        }
        let store = self.store();
        let aside = self.has_store()?.then(|| self.state.join(format!("store.{ending}")));
        if let Some(aside) = &aside {
            self.rename(&store, aside)?;
        }
        if let Err(error) = self.rename(&made, &store) {
            // Where this fails too, who opens the store comes to the new one.
            let _ = aside.map(|aside| self.rename(&aside, &store));
            return Err(error);
        }
        // The restore is done; what may be left of it is done by who opens the store, or they say why not.
        let _ = self.place_files();
        Ok(aside)
    }

    /// Puts the files that came with a backup in their places. What is there and is another gets another name.
    fn place_files(&self) -> Result<(), StoreError> {
        let path = self.store().join("rosterd-files");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => result.map_err(failed("could not read", &path))?,
        };
        let list: Result<Files, _> = serde_json::from_str(&text);
        let Files { ending, files } =
            list.map_err(|error| self.damaged(format!("its file rosterd-files can not be read: {error}")))?;
        for file in &files {
            let to = self.state.join(&file.name);
            place_file(file, &to, &ending).map_err(|error| self.unwritten("could not write", &to, error))?;
        }
        let gone = fs::remove_file(&path).and_then(|()| sync_folder(&self.store()));
        gone.map_err(failed("could not remove", &path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        let renamed = fs::rename(from, to).and_then(|()| sync_folder(&self.state));
        renamed.map_err(|error| self.unwritten("could not rename", from, error))
    }

    fn finish(&self, new: &Path, store: &Path, commits: u64) -> io::Result<()> {
        fs::write(new.join("rosterd-acknowledged"), tally(commits))?;
        fs::write(new.join("rosterd-format"), FORMAT)?;
        sync_all(new)?;
        fs::rename(new, store)?;
        sync_folder(&self.state)
    }

    fn check(&self) -> Result<(), StoreError> {
        let store = self.store();
        let foreign = |what: String| StoreError::Foreign { path: store.clone(), what };
        match fs::read_to_string(store.join("rosterd-format")) {
            Ok(text) if text == FORMAT => {}
            Ok(text) => {
                let line: String = text.lines().next().unwrap_or_default().chars().take(80).collect();
                let ours = FORMAT.trim_end();
                return Err(foreign(format!(
                    "its file rosterd-format says {line:?}, where this rosterd wants {ours:?}"
                )));
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(foreign("its file rosterd-format is missing, so it was not made by rosterd".to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(foreign("its file rosterd-format is no text".to_owned()));
            }
            Err(source) => return Err(failed("could not read", &store.join("rosterd-format"))(source)),
        }
        // The database would make what is missing anew, as an empty one.
        match ["db", "conf"].into_iter().find(|name| !store.join(name).is_file()) {
            Some(name) => Err(self.damaged(format!("its file {name} is missing"))),
            None => Ok(()),
        }
    }

    /// Waits until nobody has `database` locked. Threads of a database that we closed ourselves may have it for a moment more.
    pub(super) fn await_released(&self, database: &Path) -> Result<(), StoreError> {
        let file = match File::open(database) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => result.map_err(failed("could not open", database))?,
        };
        for _ in 0..RELEASE_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => thread::sleep(RELEASE_PAUSE),
                Err(TryLockError::Error(source)) => return Err(failed("could not lock", database)(source)),
            }
        }
        Err(in_use(&self.state, &file))
    }

    fn floor(&self) -> u64 {
        self.min_free.load(Ordering::Relaxed)
    }

    /// What changes how many bytes are to stay free.
    pub(super) fn min_free(&self) -> Arc<AtomicU64> {
        self.min_free.clone()
    }

    /// Whether there is room for more.
    pub(super) fn check_room(&self) -> Result<(), StoreError> {
        let free = self.free()?;
        let (path, floor) = (self.state.clone(), self.floor());
        if free < floor { Err(StoreError::Short { path, free, floor }) } else { Ok(()) }
    }

    /// The error for what can not be read.
    pub(super) fn damaged(&self, what: String) -> StoreError {
        StoreError::Damaged { path: self.store(), what }
    }

    /// The error for what was tried and failed, where a disk that is full is one of the causes.
    pub(super) fn unwritten(&self, doing: &'static str, path: &Path, source: io::Error) -> StoreError {
        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            self.full(self.free().unwrap_or_default())
        } else {
            failed(doing, path)(source)
        }
    }

    fn full(&self, free: u64) -> StoreError {
        StoreError::Full { path: self.state.clone(), free, floor: self.floor() }
    }

    /// Bytes that are free for us.
    fn free(&self) -> Result<u64, StoreError> {
        let disk = rustix::fs::statvfs(&self.state);
        let disk = disk.map_err(|error| failed("could not ask for the free space under", &self.state)(error.into()))?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// The file that remembers how many commits have been acknowledged.
    pub(super) fn acknowledged(&self) -> Result<Acknowledged, StoreError> {
        let path = self.store().join("rosterd-acknowledged");
        match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => Ok(Acknowledged { file, path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(self.damaged("its file rosterd-acknowledged is missing".to_owned()))
            }
            Err(source) => Err(failed("could not open", &path)(source)),
        }
    }

    /// Removes the file with a large change, which is made.
    pub(super) fn forget_pending(&self) -> Result<(), StoreError> {
        let path = self.pending();
        let gone = fs::remove_file(&path).and_then(|()| sync_folder(&self.store()));
        gone.map_err(failed("could not remove", &path))
    }
}

fn forget(left: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(left) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("could not remove", left)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What came with a backup.
#[derive(Serialize, Deserialize)]
struct Files {
    ending: String,
    files: Vec<Kept>,
}

fn place_file(file: &Kept, to: &Path, ending: &str) -> io::Result<()> {
    match fs::read(to) {
        Ok(found) if found == file.text.as_bytes() => return Ok(()),
        Ok(_) => {
            let mut aside = to.as_os_str().to_owned();
            aside.push(".");
            aside.push(ending);
            fs::rename(to, aside)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o755).create(parent(to))?;
        }
        Err(error) => return Err(error),
    }
    write_whole(to, true, |mut new| {
        new.write_all(file.text.as_bytes())?;
        new.set_permissions(Permissions::from_mode(file.mode & 0o777))
    })
}

/// A number that is never above the commits that are on disk, and is below them only by those which no power cut let it keep. A database
/// that has fewer has lost some: its log, when its end is missing or damaged, is taken for a shorter log, in silence.
#[derive(Debug)]
pub(super) struct Acknowledged {
    file: File,
    path: PathBuf,
}

impl Acknowledged {
    /// Remembers `commits`, which are on disk. It is not waited for: written after them, this can only come to the disk later.
    pub(super) fn write(&self, commits: u64) -> Result<(), StoreError> {
        self.file.write_all_at(tally(commits).as_bytes(), 0).map_err(failed("could not write", &self.path))
    }

    /// What was remembered; `None` when it can not be read.
    pub(super) fn read(&self) -> Result<Option<u64>, StoreError> {
        let mut text = vec![0; tally(0).len()];
        match self.file.read_exact_at(&mut text, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(source) => return Err(failed("could not read", &self.path)(source)),
        }
        let number = text.get(..20).and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
        Ok(number.filter(|number| tally(*number).as_bytes() == text))
    }
}

/// Always of the same length, so that it is written over in place.
fn tally(commits: u64) -> String {
    let digits = format!("{commits:020}");
    format!("{digits} {:08x}\n", crc32fast::hash(digits.as_bytes()))
}

pub(super) fn in_use(state: &Path, lock: &File) -> StoreError {
    StoreError::InUse { path: state.to_owned(), holder: holder(lock).unwrap_or_default() }
}

/// Makes an empty folder, in place of one that was being filled.
fn make_anew(new: &Path) -> io::Result<()> {
    if new.try_exists()? {
        fs::remove_dir_all(new)?;
    }
    // The database makes its files for everybody to read, so its folder is closed.
    DirBuilder::new().mode(0o700).create(new)
}

/// Who holds a lock on this file, in the list that the kernel keeps.
fn holder(file: &File) -> io::Result<Option<u32>> {
    let inode = format!(":{}", file.metadata()?.ino());
    let locks = fs::read_to_string("/proc/locks")?;
    // "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"
    let pid = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (kind, pid, place) = (words.next()?, words.nth(2)?, words.next()?);
        (kind == "FLOCK" && place.ends_with(&inode)).then(|| pid.parse().ok()).flatten()
    };
    Ok(locks.lines().find_map(pid))
}

/// Writes the file `path` as a whole, for its owner only: when this returns it is there even after a loss of power, else what was there
/// before still is. Unless it may `replace` another, it fails with [`io::ErrorKind::AlreadyExists`] where there is one.
pub(super) fn write_whole<T, E: From<io::Error>>(
    path: &Path,
    replace: bool,
    write: impl FnOnce(&File) -> Result<T, E>,
) -> Result<T, E> {
    if !replace && path.symlink_metadata().is_ok() {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
    }
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut new_name = name.to_owned();
    new_name.push(".new");
    let new = path.with_file_name(new_name);
    let written = (|| {
        // What was left by a run that was broken off keeps its mode, so it is not written over.
        let _ = fs::remove_file(&new);
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new)?;
        let done = write(&file)?;
        file.sync_all()?;
        put_in_place(&new, path, replace)?;
        Ok(done)
    })();
    match written {
        Ok(done) => {
            sync_folder(parent(path))?;
            Ok(done)
        }
        Err(error) => {
            // It is of no use to anybody.
            let _ = fs::remove_file(&new);
            Err(error)
        }
    }
}

fn put_in_place(new: &Path, path: &Path, replace: bool) -> io::Result<()> {
    if replace {
        return fs::rename(new, path);
    }
    match renameat_with(CWD, new, CWD, path, RenameFlags::NOREPLACE) {
        // Not every file system can.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => fs::rename(new, path),
        result => Ok(result?),
    }
}

/// Sees to it that the names in this folder are on disk.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Sees to it that everything in this folder is on disk.
pub(super) fn sync_all(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_folder(path)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The error for what was tried and failed.
pub(super) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_made_once() {
        let state = tempfile::tempdir().unwrap();
        let state = state.path().join("a/b");
        let folder = Folder::take(&state, 0).unwrap();
        assert_eq!(state.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        fs::create_dir_all(state.join("store.new/broken off")).unwrap();
        folder.prepare(fill).unwrap();
        assert!(!state.join("store.new").exists());
        assert_eq!(folder.store().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        folder.prepare(|_| unreachable!("it is there")).unwrap();
        folder.check_room().unwrap();
    }

    #[test]
    fn a_store_that_could_not_be_filled_is_not_there() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::take(state.path(), 0).unwrap();
        folder.prepare(|_| Err(StoreError::Stopped)).unwrap_err();
        assert!(!folder.store().exists());
        folder.prepare(fill).unwrap();
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let check = |change: &dyn Fn(&Path), what: &str| {
            let state = tempfile::tempdir().unwrap();
            let folder = Folder::take(state.path(), 0).unwrap();
            folder.prepare(fill).unwrap();
            change(&folder.store());
            let error = folder.prepare(|_| unreachable!()).expect_err(what).to_string();
            assert!(error.contains(what), "{error}");
        };
        check(&|store| fs::remove_file(store.join("rosterd-format")).unwrap(), "rosterd-format is missing");
        check(&|store| fs::write(store.join("rosterd-format"), "rosterd store 2").unwrap(), "says \"rosterd store 2\"");
        check(&|store| fs::write(store.join("rosterd-format"), [0xff]).unwrap(), "is no text");
        check(&|store| fs::remove_file(store.join("db")).unwrap(), "its file db is missing");
        check(&|store| fs::remove_dir_all(store).and_then(|()| fs::write(store, "")).unwrap(), "is missing");
    }

    #[test]
    fn the_second_is_told_who_is_the_first() {
        let state = tempfile::tempdir().unwrap();
        let first = Folder::take(state.path(), 0).unwrap();
        let second = Folder::take(state.path(), 0).unwrap_err();
        assert!(matches!(second, StoreError::InUse { holder: Some(pid), .. } if pid == std::process::id()), "{second}");
        drop(first);
        Folder::take(state.path(), 0).unwrap();
    }

    #[test]
    fn a_state_folder_that_can_not_be_is_named() {
        let state = tempfile::NamedTempFile::new().unwrap();
        let check = |path: &Path, what: &str| {
            assert_eq!(Folder::take(path, 0).unwrap_err().to_string(), what);
        };
        let (path, below) = (state.path(), state.path().join("below"));
        check(path, &format!("could not open {}", path.join("lock").display()));
        check(&below, &format!("could not make the folder {}", below.display()));
    }

    #[test]
    fn the_tally_is_read_as_it_was_written_or_not_at_all() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::take(state.path(), 0).unwrap();
        folder.prepare(fill).unwrap();
        let tally = folder.acknowledged().unwrap();
        assert_eq!(tally.read().unwrap(), Some(0));
        tally.write(u64::MAX).unwrap();
        assert_eq!(tally.read().unwrap(), Some(u64::MAX));
        tally.write(77).unwrap();
        assert_eq!(tally.read().unwrap(), Some(77));
        tally.file.write_all_at(b"8", 18).unwrap();
        assert_eq!(tally.read().unwrap(), None);
        tally.file.set_len(0).unwrap();
        assert_eq!(tally.read().unwrap(), None);
    }

    fn fill(new: &Path) -> Result<(), StoreError> {
        fs::write(new.join("db"), "").and_then(|()| fs::write(new.join("conf"), "")).map_err(failed("", new))
    }
}
