//! Who asks for a change.

use std::{fmt, net::IpAddr};

use super::{AccountId, BareJid, Name};

/// Who asks for a change, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub who: Who,
    /// The address that they are at, where it came over HTTPS.
    pub from: Option<IpAddr>,
}

/// Whoever may ask for a change. What they may do is decided when it is planned ([`super::Desk::plan`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// rosterd itself.
    Daemon,
    /// Who runs a command on the machine: their number as the operating system knows it.
    Local(u32),
    /// Somebody in a chat client.
    Jid(BareJid),
    /// Somebody who is logged in to the API.
    Login {
        /// The account.
        account: AccountId,
        /// Who.
        name: Name,
    },
    /// A program that uses the API with a token.
    Token {
        /// The account.
        account: AccountId,
        /// The token's name.
        name: Name,
    },
}

impl From<Who> for By {
    fn from(who: Who) -> Self {
        Self { who, from: None }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.who.fmt(f)?;
        self.from.map_or(Ok(()), |from| write!(f, " at {from}"))
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daemon => f.write_str("rosterd"),
            Self::Local(uid) => write!(f, "the local user {uid}"),
            Self::Jid(jid) => write!(f, "{jid}"),
            Self::Login { name, .. } => write!(f, "login {name}"),
            Self::Token { name, account } => write!(f, "token {name} of account {account}"),
        }
    }
}
