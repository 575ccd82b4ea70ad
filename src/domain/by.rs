//! Who asks for a change.

use std::{fmt, net::IpAddr};

use super::{AccountId, BareJid};

/// Who asks for a change, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub who: Who,
    /// The address that they are at, where it came over HTTPS.
    pub from: Option<IpAddr>,
}

/// Whoever may ask for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// rosterd itself.
    Daemon,
    /// Who runs a command on the machine: their number as the operating system knows it.
    Local(u32),
    /// Somebody in a chat client.
    Jid(BareJid),
    /// Somebody who is logged in to the API.
    Account(AccountId),
}

impl From<Who> for By {
    fn from(who: Who) -> Self {
        Self { who, from: None }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Who::Daemon => f.write_str("rosterd"),
            Who::Local(uid) => write!(f, "the local user {uid}"),
            Who::Jid(jid) => write!(f, "{jid}"),
            Who::Account(account) => write!(f, "account {account}"),
        }?;
        self.from.map_or(Ok(()), |from| write!(f, " at {from}"))
    }
}
