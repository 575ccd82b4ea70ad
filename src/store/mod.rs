//! Where intent is kept.

pub mod audit;
mod committer;
pub mod dump;
mod folder;
mod inspect;
mod ledger;
pub mod memory;
pub mod record;
pub mod sled;
pub mod snapshot;

use std::{io, path::PathBuf, sync::Arc};

pub use self::audit::Trail;
pub use self::sled::{Backup, Bounds, Salvaged, SledStore};
pub use committer::Committer;
pub use inspect::{copy, is_own, size};
pub use memory::MemoryStore;
pub use snapshot::Snapshot;

use crate::domain::{Record, Write};

/// Keeps records. One owner, one thread.
pub trait Store: Send + 'static {
    /// Everything that is kept, in the order of the keys. Read once, at start.
    ///
    /// # Errors
    /// What is damaged, and where.
    fn load(&mut self) -> Result<Vec<Record>, StoreError>;

    /// Keeps `change`, all or nothing. When this returns, the change survives the loss of power. A change may be of any
    /// size: one that is broken off by a crash is there as a whole or not at all once the store is opened anew.
    ///
    /// # Errors
    /// [`StoreError::Short`] when nothing was begun, for want of room: everything is as before. After any other error
    /// it is not known whether the change is kept: once the store is opened anew, it is there as a whole or not at all. Until then
    /// nothing more can be kept: each further commit fails with [`StoreError::Failed`].
    fn commit(&mut self, change: &[Write]) -> Result<(), StoreError>;

    /// The way to read what is on disk: the audit log, which holds what [`Write::Note`] put there, and everything at once.
    fn trail(&self) -> Arc<dyn Trail>;
}

/// What went wrong with a store, and where.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error(
        "the store in {path} is in use{}: one rosterd at a time can have it. Stop that one, \
         or give this one a folder of its own ([store] path)",
        holder.map_or(String::new(), |pid| format!(" by process {pid}"))
    )]
    InUse {
        /// The state folder.
        path: PathBuf,
        /// Who has it, where that can be told.
        holder: Option<u32>,
    },
    /// What is there was not written by us, or by a later version of us.
    #[error(
        "{path} is no store that this version of rosterd can read: {what}. To go on: use the version that made it, \
         or move that folder aside to begin with an empty store"
    )]
    Foreign {
        /// The database's folder.
        path: PathBuf,
        /// What was found instead.
        what: String,
    },
    /// What is there can not be read.
    #[error(
        "the store in {path} is damaged: {what}. To go on: stop rosterd, and put the newest backup back with \
         `rosterd restore --force FILE`, which keeps that folder under another name; `rosterd doctor` says more. Without a \
         backup, `rosterd doctor --salvage FILE` saves what can be read"
    )]
    Damaged {
        /// The database's folder.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The disk is nearly full, so nothing was begun; the next change may be kept, once there is room.
    #[error(
        "nothing can be stored while the disk under {path} has only {free} bytes free: {floor} are to stay free \
         ([store] min_free). Make room"
    )]
    Short {
        /// The state folder.
        path: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are to stay free.
        floor: u64,
    },
    /// The disk is full.
    #[error(
        "the disk under {path} is full ({free} bytes free, {floor} are kept free): make room and start rosterd again"
    )]
    Full {
        /// The state folder.
        path: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are to stay free (`[store] min_free`).
        floor: u64,
    },
    /// An earlier commit failed, and what is on disk has to be read again.
    #[error("the store in {path} takes nothing more since a write failed: {cause}. Start rosterd again")]
    Failed {
        /// The database's folder.
        path: PathBuf,
        /// Why the write failed.
        cause: String,
    },
    /// The operating system refused.
    #[error("{doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// There is a store already, which is not to be replaced.
    #[error(
        "there is a store in {0} already. With --force it is renamed, and the backup takes its place; nothing is deleted"
    )]
    There(PathBuf),
    /// Everything could not be read as it was at one moment.
    #[error("everything that is stored could not be read at once: {0}. Try again")]
    Overtaken(&'static str),
    /// The thread that writes is gone.
    #[error("the store has stopped")]
    Stopped,
}
