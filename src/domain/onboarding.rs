//! How users are brought to let us see their presence, and what is written into their rosters for it.

use super::{BareJid, Name};

/// How users are brought to let us see their presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Onboarding {
    /// They are asked, each in their client.
    #[default]
    Subscribe,
    /// Their server lets a component write their rosters (XEP-0356).
    Privilege,
    /// Their server is ejabberd, whose HTTP API writes their rosters.
    EjabberdApi,
}

impl Onboarding {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Subscribe, Self::Privilege, Self::EjabberdApi];

    /// The word used in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Privilege => "privilege",
            Self::EjabberdApi => "ejabberd-api",
        }
    }
}

/// What the users' server lets us do on this link (XEP-0356 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grants {
    /// We may write its users' rosters.
    pub roster: bool,
    /// It sends us the presence of all its users: first as it is, then every change.
    pub presence: bool,
}

/// What is to stand in a roster for one of our JIDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The watcher, who sees the user's presence: a subscription of type `from` (RFC 6121 section 2.1.2.5).
    Watcher,
    /// A queue, whose presence the user sees: a subscription of type `to`.
    Queue {
        /// The group of contacts that it stands in.
        group: Box<str>,
    },
    /// Nothing.
    Absent,
}

/// One entry to be written into a user's roster. Writing the same again does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterWrite {
    /// Whose roster.
    pub user: BareJid,
    /// The localpart of the JID of ours that it is about.
    pub contact: Name,
    /// What is to stand there for it.
    pub entry: Entry,
}

/// Why something could not be written into a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFailure {
    /// This was refused; something else may not be.
    Refused,
    /// Nothing can be written at the moment.
    Unreachable,
}
