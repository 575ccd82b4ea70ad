//! Who may log in to the API, and the logins that are open.

use std::collections::BTreeSet;

use super::{AccountId, BareJid, Name};

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// Seconds from `earlier` to `self`, 0 when the clock went backwards.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A manager who logs in to the API, and owns queues and users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// What is typed at login.
    pub name: Name,
    /// The password's hash, in the PHC string format.
    pub password_hash: Box<str>,
    /// The JIDs of its admins: from these it is managed in a chat client. One JID may be linked to several accounts.
    pub admins: BTreeSet<BareJid>,
}

/// SHA-256 of a session's token. The token itself is known to the client alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenHash(pub [u8; 32]);

/// A login that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What its token hashes to.
    pub token: TokenHash,
    /// Whose it is.
    pub account: AccountId,
    /// When it began.
    pub created: UnixTime,
    /// When it was last used, to the hour.
    pub used: UnixTime,
}
