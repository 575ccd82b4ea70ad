//! Who may use the API: accounts with their logins, the sessions that are open, and tokens.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{AccountId, BareJid, Name, Role};

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

/// What owns queues and users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Its name.
    pub name: Name,
    /// The JIDs of its admins: from these it is managed in a chat client. One JID may be linked to several accounts.
    pub admins: BTreeSet<BareJid>,
    /// Who may log in, by name. No two logins of a deployment have the same name.
    pub logins: BTreeMap<Name, Login>,
}

impl Account {
    /// An account with one login, of its own name, who owns it.
    #[must_use]
    pub fn owned(id: AccountId, name: Name, password_hash: Box<str>) -> Self {
        let owner = (name.clone(), Login { role: Role::Owner, password_hash });
        Self { id, name, admins: BTreeSet::new(), logins: [owner].into() }
    }

    /// The same with these admins.
    #[must_use]
    pub fn with_admins(self, admins: impl IntoIterator<Item = BareJid>) -> Self {
        Self { admins: admins.into_iter().collect(), ..self }
    }
}

/// Somebody who may log in to the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// What they may do.
    pub role: Role,
    /// The password's hash, in the PHC string format.
    pub password_hash: Box<str>,
}

/// SHA-256 of what a client shows: the token of a session or of the API. It is known to the client alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenHash(pub [u8; 32]);

/// Somebody is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What its token hashes to.
    pub token: TokenHash,
    /// The account.
    pub account: AccountId,
    /// Who.
    pub login: Name,
    /// When it began.
    pub created: UnixTime,
    /// When it was last used, to the hour.
    pub used: UnixTime,
    /// Where it began.
    pub from: Option<IpAddr>,
}

/// What a program shows instead of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it hashes to.
    pub hash: TokenHash,
    /// The account.
    pub account: AccountId,
    /// Its name, of which the account has one only.
    pub name: Name,
    /// What whoever shows it may do.
    pub role: Role,
    /// When it was made.
    pub created: UnixTime,
    /// From when it is good for nothing.
    pub expires: Option<UnixTime>,
    /// When it was last used, to the hour.
    pub used: Option<UnixTime>,
}

impl Token {
    /// Whether it is still good.
    #[must_use]
    pub fn is_good(&self, now: UnixTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}
