//! Logins and their sessions, from the command line.

use serde::{Deserialize, Serialize};

use super::command::{Problem, Reply, done, parse};
use crate::{
    clock,
    domain::{Edit, Role, Session, Who},
    engine::{Handle, unix_now},
};

/// What is asked for of logins.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginCommand {
    /// Those of an account, or of all.
    List {
        /// The name of the account.
        account: Option<String>,
    },
    /// Make one.
    Add {
        /// The name of the account.
        account: String,
        /// Its name.
        name: String,
        /// The name of its role.
        role: String,
        /// A PHC string.
        password_hash: Box<str>,
    },
    /// Give one another password.
    Password {
        /// Its name.
        name: String,
        /// A PHC string.
        password_hash: Box<str>,
    },
    /// Give one another role.
    Role {
        /// Its name.
        name: String,
        /// The name of the role.
        role: String,
    },
    /// Remove one.
    Remove {
        /// Its name.
        name: String,
    },
    /// The sessions of one.
    Sessions {
        /// Its name.
        name: String,
    },
    /// End the sessions of one.
    Logout {
        /// Its name.
        name: String,
    },
}

/// A login, as it is listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LoginStatus {
    /// Its name.
    pub name: String,
    /// The name of its account.
    pub account: String,
    /// The name of its role.
    pub role: String,
    /// How many sessions it has.
    pub sessions: usize,
}

/// A session, as it is listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionStatus {
    /// When it began (RFC 3339).
    pub created: String,
    /// When it was last used, to the hour.
    pub used: String,
    /// Where it began.
    pub from: Option<String>,
}

impl From<&Session> for SessionStatus {
    fn from(session: &Session) -> Self {
        let from = session.from.map(|from| from.to_string());
        Self { created: clock::write(session.created), used: clock::write(session.used), from }
    }
}

/// The role with this name.
pub(super) fn role(text: &str) -> Result<Role, Problem> {
    let names = || Role::ALL.map(Role::as_str).join(", ");
    Role::parse(text).ok_or_else(|| Problem::new(format!("there is no role {text:?}, but these: {}", names())))
}

pub(super) async fn answer(handle: &Handle, by: Who, command: LoginCommand) -> Result<Reply, Problem> {
    let edit = match command {
        LoginCommand::List { account } => return list(handle, account.as_deref()),
        LoginCommand::Sessions { name } => return sessions(handle, &name),
        LoginCommand::Add { account, name, role: word, password_hash } => {
            Edit::AddLogin { account: parse(&account)?, login: parse(&name)?, role: role(&word)?, password_hash }
        }
        LoginCommand::Password { name, password_hash } => Edit::SetPassword { login: parse(&name)?, password_hash },
        LoginCommand::Role { name, role: word } => Edit::SetRole { login: parse(&name)?, role: role(&word)? },
        LoginCommand::Remove { name } => Edit::RemoveLogin { login: parse(&name)? },
        LoginCommand::Logout { name } => Edit::CloseSessions { login: parse(&name)? },
    };
    done(handle.edit(by, edit).await)
}

fn list(handle: &Handle, account: Option<&str>) -> Result<Reply, Problem> {
    let only = account.map(parse).transpose()?;
    let now = unix_now();
    let logins = handle.read(|desk| {
        if only.as_ref().is_some_and(|only| desk.account_named(only).is_none()) {
            return None;
        }
        let accounts = desk.accounts().filter(|account| only.as_ref().is_none_or(|only| account.name == *only));
        let of_account = |account: &crate::domain::Account| {
            let status = |(name, login): (&crate::domain::Name, &crate::domain::Login)| LoginStatus {
                name: name.to_string(),
                account: account.name.to_string(),
                role: login.role.to_string(),
                sessions: desk.sessions(name, now).len(),
            };
            account.logins.iter().map(status).collect::<Vec<_>>()
        };
        Some(accounts.flat_map(of_account).collect())
    });
    logins.map(Reply::Logins).ok_or_else(|| Problem::new(crate::domain::Refusal::NoAccount.to_string()))
}

fn sessions(handle: &Handle, name: &str) -> Result<Reply, Problem> {
    let name = parse(name)?;
    let sessions = handle.read(|desk| {
        desk.login(&name)?;
        Some(desk.sessions(&name, unix_now()).into_iter().map(SessionStatus::from).collect())
    });
    sessions.map(Reply::Sessions).ok_or_else(|| Problem::new(crate::domain::Refusal::NoLogin.to_string()))
}
