//! `[presence]`: what is believed, and for how long.

use std::time::Duration;

use super::reader::{self, Given, Key, Reader, Taken};

/// `[presence]`.
#[derive(Debug, Clone)]
pub struct Presence {
    /// How long an operator's client may be silent before it is pinged; nothing: it never is.
    pub ping_after: Duration,
    /// How long it may take to answer.
    pub ping_timeout: Duration,
    /// For how long the last show of an operator who went is published.
    pub linger: Duration,
}

const PING_AFTER: Key = Key {
    path: "presence.ping_after",
    value: Given::Default("\"2min\""),
    taken: Taken::AtOnce,
    doc: "How long an operator's client may be silent before it is asked whether it is still there: servers tell late or \
          never of clients that died. \"0s\" switches this off.",
};
const PING_TIMEOUT: Key = Key {
    path: "presence.ping_timeout",
    value: Given::Default("\"20s\""),
    taken: Taken::AtOnce,
    doc: "How long it may take to answer. After that it does not count until it is heard again.",
};
const LINGER: Key = Key {
    path: "presence.linger",
    value: Given::Default("\"0s\""),
    taken: Taken::AtOnce,
    doc: "For how long the last show of an operator who went is still published, such as \"30s\" where phones change \
          networks: who is back within that time was never seen to go. They take no work meanwhile. An hour at the most.",
};

pub(super) const KEYS: &[Key] = &[PING_AFTER, PING_TIMEOUT, LINGER];

impl Presence {
    pub(super) fn read(keys: &mut Reader) -> Option<Self> {
        let ping_after = keys.take(&PING_AFTER, reader::duration);
        let ping_timeout = keys.take(&PING_TIMEOUT, reader::some_time);
        let linger = keys.take(&LINGER, reader::an_hour_at_most);
        Some(Self { ping_after: ping_after?, ping_timeout: ping_timeout?, linger: linger? })
    }
}
