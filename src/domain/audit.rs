//! Who did what: an entry for each change of intent, kept in the same commit as the change.

use super::{AccountId, By, UnixTime, Who};

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// When it was planned, which is a moment before it was on disk.
    pub at: UnixTime,
    /// Who.
    pub by: By,
    /// A word that stays, of the kind of thing and what was done to it: `operator.suspend`.
    pub what: Box<str>,
    /// Whose things it is about.
    pub account: Option<AccountId>,
    /// What it is about.
    pub on: Vec<Thing>,
    /// What has changed, as it was: fields with their values. Never a password, nor what it or a token hashes to.
    pub before: Vec<Field>,
    /// The same, as it is.
    pub after: Vec<Field>,
}

/// A name and a value.
pub type Field = (Box<str>, Box<str>);

/// The most fields of an entry that are kept.
pub(super) const FIELDS_MOST: usize = 16;
/// The most characters of a value that are kept.
pub(super) const VALUE_MOST: usize = 120;

/// Something that can be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// `account`, `login`, `token`, `admin`, `queue` or `user`.
    pub kind: Box<str>,
    /// Its number, where it has one.
    pub id: Option<u32>,
    /// Its name at the time.
    pub name: Box<str>,
}

impl Thing {
    pub(super) fn new(kind: &str, id: Option<u32>, name: &str) -> Self {
        Self { kind: kind.into(), id, name: name.into() }
    }

    /// Whether this is its name or its number.
    fn is(&self, kind: &str, wanted: &str) -> bool {
        *self.kind == *kind && (*self.name == *wanted || self.id.is_some_and(|id| id.to_string() == wanted))
    }
}

/// Which entries somebody wants to see; what is `None` is all the same to them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Those about things of this account.
    pub account: Option<AccountId>,
    /// Those from then on.
    pub since: Option<UnixTime>,
    /// Those before then.
    pub until: Option<UnixTime>,
    /// Those of this login, token, JID or number of a local user.
    pub who: Option<String>,
    /// Those of this word, or of a part of it before a `.`.
    pub what: Option<String>,
    /// Those about the queue with this name or number.
    pub queue: Option<String>,
    /// Those about the user with this name or number.
    pub user: Option<String>,
}

impl Search {
    /// Whether this is one of them.
    #[must_use]
    pub fn fits(&self, entry: &Noted) -> bool {
        let is_about = |kind: &str, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| entry.on.iter().any(|thing| thing.is(kind, wanted)))
        };
        let is_what = |what: &String| {
            entry.what.strip_prefix(what.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.account.is_none_or(|account| entry.account == Some(account))
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
            && self.who.as_ref().is_none_or(|who| entry.by.who.short_name() == *who)
            && self.what.as_ref().is_none_or(is_what)
            && is_about("queue", &self.queue)
            && is_about("user", &self.user)
    }

    /// Whether an entry as old as this, and every one before it, is too old.
    #[must_use]
    pub fn is_over(&self, at: UnixTime) -> bool {
        // The clock may have been put back a little.
        self.since.is_some_and(|since| since.since(at) > CLOCK_SLIP)
    }
}

/// Seconds by which entries may be out of order, since clocks are set.
const CLOCK_SLIP: u64 = 3_600;

impl Who {
    /// Their name alone: of the login, the token, the JID, the number of the local user, or `rosterd`.
    #[must_use]
    pub fn short_name(&self) -> String {
        match self {
            Self::Daemon => "rosterd".to_owned(),
            Self::Local(uid) => uid.to_string(),
            Self::Jid(jid) => jid.to_string(),
            Self::Login { name, .. } | Self::Token { name, .. } => name.to_string(),
        }
    }

    /// What they are: `rosterd`, `local`, `jid`, `login` or `token`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Daemon => "rosterd",
            Self::Local(_) => "local",
            Self::Jid(_) => "jid",
            Self::Login { .. } => "login",
            Self::Token { .. } => "token",
        }
    }
}
