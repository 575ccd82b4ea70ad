//! What can be asked for on the command line, and its answers. The same code answers when no daemon runs, and the command
//! has opened the store itself.

use std::{collections::BTreeSet, fmt};

use axum::{Extension, Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    super::{PageBody, health},
    audit::{self, AuditCommand},
    login::{self, LoginCommand, LoginStatus, SessionStatus},
    status::{Status, status},
    token::{self, TokenCommand, TokenStatus},
};
use crate::{
    domain::{Account, BareJid, Edit, Name, Outcome, Who},
    engine::{EditError, Handle},
};

/// What is asked for.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// How everything is.
    Status,
    /// Whether the daemon does its work.
    Ready,
    /// All accounts.
    Accounts,
    /// Make an account.
    AddAccount {
        /// Its name.
        name: String,
        /// A PHC string.
        password_hash: Box<str>,
    },
    /// Remove an account.
    RemoveAccount {
        /// Its name.
        name: String,
        /// With all of its users and queues.
        with_all: bool,
    },
    /// Something about logins.
    Login(LoginCommand),
    /// Something about tokens.
    Token(TokenCommand),
    /// Who did what.
    Audit(AuditCommand),
    /// Let a JID manage an account from a chat client.
    LinkAdmin {
        /// The name of the account.
        name: String,
        /// Who.
        jid: String,
    },
    /// Let a JID manage an account no longer.
    UnlinkAdmin {
        /// The name of the account.
        name: String,
        /// Who.
        jid: String,
    },
}

/// An account, as it is listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccountStatus {
    /// Its name.
    pub name: String,
    /// The JIDs that are linked to it.
    pub admins: BTreeSet<String>,
}

impl From<&Account> for AccountStatus {
    fn from(account: &Account) -> Self {
        Self { name: account.name.to_string(), admins: account.admins.iter().map(BareJid::to_string).collect() }
    }
}

/// What is answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Command::Status`].
    Status(Box<Status>),
    /// To [`Command::Ready`]: what keeps it from its work, nothing when it is ready.
    Ready(Vec<String>),
    /// To [`Command::Accounts`].
    Accounts(Vec<AccountStatus>),
    /// To [`LoginCommand::List`].
    Logins(Vec<LoginStatus>),
    /// To [`LoginCommand::Sessions`], the one that was used last first.
    Sessions(Vec<SessionStatus>),
    /// To [`TokenCommand::List`].
    Tokens(Vec<TokenStatus>),
    /// To [`TokenCommand::Add`]: what a program has to show. It is said this once.
    Token(String),
    /// To [`Command::Audit`].
    Audit(PageBody),
    /// It is as asked.
    Done,
}

/// Why it was not done, in words for who typed it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Problem {
    error: String,
}

impl Problem {
    pub(super) fn new(error: impl Into<String>) -> Self {
        Self { error: error.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

impl std::error::Error for Problem {}

impl From<EditError> for Problem {
    fn from(error: EditError) -> Self {
        Self::new(crate::telemetry::chain(&error))
    }
}

/// Does what `by` asks for.
///
/// # Errors
/// Why it was not done.
pub async fn answer(handle: &Handle, by: Who, command: Command) -> Result<Reply, Problem> {
    match command {
        Command::Status => Ok(Reply::Status(Box::new(status(handle)))),
        Command::Ready => {
            let reasons = health::reasons(handle).into_iter().map(|(name, more)| format!("{name}: {more}"));
            Ok(Reply::Ready(reasons.collect()))
        }
        Command::Accounts => {
            Ok(Reply::Accounts(handle.read(|desk| desk.accounts().map(AccountStatus::from).collect())))
        }
        Command::AddAccount { name, password_hash } => {
            done(handle.edit(by, Edit::AddAccount { name: parse(&name)?, password_hash }).await)
        }
        Command::RemoveAccount { name, with_all } => {
            done(handle.edit(by, Edit::RemoveAccount { name: parse(&name)?, with_all }).await)
        }
        Command::Login(command) => login::answer(handle, by, command).await,
        Command::Token(command) => token::answer(handle, by, command).await,
        Command::Audit(command) => audit::answer(handle, command).await,
        Command::LinkAdmin { name, jid } => {
            done(handle.edit(by, Edit::LinkAdmin { name: parse(&name)?, jid: parse_jid(&jid)? }).await)
        }
        Command::UnlinkAdmin { name, jid } => {
            done(handle.edit(by, Edit::UnlinkAdmin { name: parse(&name)?, jid: parse_jid(&jid)? }).await)
        }
    }
}

pub(super) fn parse(name: &str) -> Result<Name, Problem> {
    Name::parse(name, Name::QUEUE_MOST).map_err(|error| Problem::new(error.to_string()))
}

fn parse_jid(jid: &str) -> Result<BareJid, Problem> {
    BareJid::parse(jid).map_err(Problem::new)
}

pub(super) fn done(result: Result<Outcome, EditError>) -> Result<Reply, Problem> {
    result.map(|_| Reply::Done).map_err(Problem::from)
}

pub(super) async fn take(
    State(handle): State<Handle>,
    Extension(by): Extension<Who>,
    Json(command): Json<Command>,
) -> Result<Json<Reply>, (StatusCode, Json<Problem>)> {
    answer(&handle, by, command).await.map(Json).map_err(|problem| (StatusCode::CONFLICT, Json(problem)))
}
