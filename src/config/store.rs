//! `[store]`: where the state is.

use std::path::PathBuf;

use super::reader::{self, Given, Key, Reader, Taken};

/// `[store]`.
#[derive(Debug, Clone)]
pub struct Store {
    /// The state folder.
    pub path: PathBuf,
    /// Bytes on its disk that are to stay free.
    pub min_free: u64,
}

const PATH: Key = Key {
    path: "store.path",
    value: Given::Default("\"/var/lib/rosterd\""),
    taken: Taken::AtStart,
    doc: "The state folder: the store, and the self-signed certificate where one is made.",
};
const MIN_FREE: Key = Key {
    path: "store.min_free",
    value: Given::Default("\"64MiB\""),
    taken: Taken::AtOnce,
    doc: "How much of its disk is to stay free: below this, changes are refused until there is room. 16 MiB are needed to open the store again.",
};

pub(super) const KEYS: &[Key] = &[PATH, MIN_FREE];

impl Store {
    /// Takes over what need not wait for a restart.
    pub(super) fn take_over(&mut self, new: &Self) {
        self.min_free = new.min_free;
    }

    pub(super) fn read(keys: &mut Reader) -> Option<Self> {
        let path = keys.take(&PATH, reader::path);
        let min_free = keys.take(&MIN_FREE, reader::size);
        Some(Self { path: path?, min_free: min_free? })
    }
}
