//! A look at a store that changes nothing there. To open a store is to write in it, so a copy is opened.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::{
    StoreError,
    folder::{failed, in_use},
};

/// What makes up a store: itself, and one that a restore which was broken off is about to put in its place.
const FOLDERS: [&str; 2] = ["store", "store.restored"];

/// Copies the store in the state folder `state` to `to`, which is there and empty, to be opened there. `false`: there is none. Only
/// its owner can read the copy. Nobody has the store meanwhile.
///
/// # Errors
/// [`StoreError::InUse`] while somebody has it, and what the operating system refuses.
pub fn copy(state: &Path, to: &Path) -> Result<bool, StoreError> {
    let path = state.join("lock");
    let lock = match File::open(&path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
        result => Some(result.map_err(failed("could not open", &path))?),
    };
    if let Some(lock) = &lock {
        match lock.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(state, lock)),
            Err(TryLockError::Error(source)) => return Err(failed("could not lock", &path)(source)),
        }
    }
    let mut is_there = false;
    for from in FOLDERS.map(|name| state.join(name)) {
        let name = from.file_name().map(PathBuf::from).unwrap_or_default();
        if from.try_exists().map_err(failed("could not look at", &from))? {
            let copied = from.canonicalize().and_then(|from| copy_all(&from, &to.join(name)));
            copied.map_err(failed("could not copy", &from))?;
            is_there = true;
        }
    }
    Ok(is_there)
}

/// How many bytes a copy of the store takes.
///
/// # Errors
/// What the operating system refuses.
pub fn size(state: &Path) -> Result<u64, StoreError> {
    let sizes = FOLDERS
        .map(|name| state.join(name))
        .map(|folder| size_of(&folder).map_err(failed("could not look at", &folder)));
    sizes.into_iter().sum()
}

/// What rosterd keeps for itself in its state folder.
const OWN: [&str; 6] = ["lock", "store", "store.new", "store.restored", "store.restoring", "tls"];

/// Whether `file` is, or would be, one of the files that rosterd keeps for itself in the state folder `state`.
#[must_use]
pub fn is_own(state: &Path, file: &Path) -> bool {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Ok(state), Ok(parent)) = (state.canonicalize(), parent.canonicalize()) else { return false };
    let file = parent.join(file.file_name().unwrap_or_default());
    file.strip_prefix(state).is_ok_and(|below| OWN.iter().any(|own| below.starts_with(own)))
}

fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    // Whoever looks may be root, and should read nothing by way of a link but the store.
    let found = fs::symlink_metadata(from)?;
    if found.is_file() {
        return fs::copy(from, to).map(drop);
    }
    if !found.is_dir() {
        return Err(io::Error::other(format!("{} is neither a file nor a folder", from.display())));
    }
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy_all(&from.join(&name), &to.join(&name))?;
    }
    Ok(())
}

fn size_of(path: &Path) -> io::Result<u64> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Ok(found) if found.is_dir() => fs::read_dir(path)?.map(|entry| size_of(&entry?.path())).sum(),
        result => Ok(result?.len()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn only_files_and_folders_are_copied() {
        let state = tempfile::tempdir().unwrap();
        let store = state.path().join("store");
        fs::create_dir_all(store.join("blobs")).unwrap();
        fs::write(store.join("db"), "something").unwrap();
        let check = || {
            let to = tempfile::tempdir().unwrap();
            let error = copy(state.path(), to.path()).err().map(|error| crate::telemetry::chain(&error));
            (error, fs::read_to_string(to.path().join("store/db")).ok())
        };
        assert_eq!(check(), (None, Some("something".to_owned())));
        let odd = store.join("odd");
        let is_refused = || check().0.is_some_and(|error| error.contains("odd is neither a file nor a folder"));
        symlink("..", &odd).unwrap();
        assert!(is_refused());
        fs::remove_file(&odd).unwrap();
        mknodat(CWD, &odd, FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(is_refused(), "nor does it wait for somebody to write there");
        fs::remove_file(&odd).unwrap();
        // The store may lie elsewhere.
        fs::rename(&store, state.path().join("elsewhere")).unwrap();
        symlink("elsewhere", &store).unwrap();
        assert_eq!(check().1, Some("something".to_owned()));
    }

    #[test]
    fn what_is_rosterds_own() {
        let state = tempfile::tempdir().unwrap();
        fs::create_dir_all(state.path().join("store/blobs")).unwrap();
        fs::create_dir(state.path().join("backups")).unwrap();
        symlink(state.path(), state.path().join("backups/link")).unwrap();
        let check = |file: &str| is_own(state.path(), &state.path().join(file));
        for own in ["lock", "store", "store.restored", "store/db", "store/blobs/../db", "backups/link/store/db"] {
            assert!(check(own), "{own}");
        }
        for other in ["backups/a", "store.backup", "lock.backup", "missing/db", "backups/../a"] {
            assert!(!check(other), "{other}");
        }
    }
}
