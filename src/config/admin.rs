//! `[admin]`: the way from the command line to the daemon.

use std::path::PathBuf;

use super::reader::{self, Given, Key, Reader, Taken};

/// `[admin]`.
#[derive(Debug, Clone)]
pub struct Admin {
    /// The Unix socket.
    pub socket: PathBuf,
}

const SOCKET: Key = Key {
    path: "admin.socket",
    value: Given::Default("\"/run/rosterd/admin.sock\""),
    taken: Taken::AtStart,
    doc: "The Unix socket through which the other commands talk to the daemon. Root and the user that the daemon runs as \
          may use it.",
};

pub(super) const KEYS: &[Key] = &[SOCKET];

impl Admin {
    pub(super) fn read(keys: &mut Reader) -> Option<Self> {
        Some(Self { socket: keys.take(&SOCKET, reader::path)? })
    }
}
