//! `[audit]`: how much of who did what is kept.

use std::time::Duration;

use super::reader::{self, Given, Key, Reader, Taken};

/// `[audit]`.
#[derive(Debug, Clone)]
pub struct Audit {
    /// How long an entry is kept; nothing: as long as there is room for it.
    pub keep: Duration,
    /// How many are kept at the most.
    pub max_entries: u32,
}

const KEEP: Key = Key {
    path: "audit.keep",
    value: Given::Default("\"90days\""),
    taken: Taken::AtOnce,
    doc: "How long it is kept who changed what (`rosterd audit`); \"0s\": until there are more than max_entries. Nothing is \
          forgotten by a clock that was set, or a daemon that was started, within the last hour; an entry that is dated ahead \
          of most of the hundred after it goes with them.",
};
const MAX_ENTRIES: Key = Key {
    path: "audit.max_entries",
    value: Given::Default("1000000"),
    taken: Taken::AtOnce,
    doc: "How many such entries are kept at the most, of all accounts together. When there are more, the oldest of the account \
          that has the most make room. Each takes about 500 bytes of disk, and no memory.",
};

pub(super) const KEYS: &[Key] = &[KEEP, MAX_ENTRIES];

impl Audit {
    pub(super) fn read(keys: &mut Reader) -> Option<Self> {
        let keep = keys.take(&KEEP, reader::duration);
        let max_entries = keys.take(&MAX_ENTRIES, reader::number);
        Some(Self { keep: keep?, max_entries: max_entries? })
    }
}
