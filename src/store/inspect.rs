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
            copy_all(&from, &to.join(name)).map_err(failed("could not copy", &from))?;
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

fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop);
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
