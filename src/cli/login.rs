//! `rosterd login`.

use clap::{Args, Subcommand};

use super::{Failure, account::WithPassword, daemon, say, table};
use crate::{
    config::Settings,
    http::admin::{Command, LoginCommand, LoginStatus, Reply, SessionStatus},
};

#[derive(Debug, Subcommand)]
pub(super) enum Login {
    /// Let somebody log in to an account; their password is asked for.
    Add(Add),
    /// List the logins, one a line: name, role, account, open sessions.
    List {
        /// The name of the account; of all where none is given.
        account: Option<String>,
    },
    /// Give a login another password, and end its sessions.
    Password(WithPassword),
    /// Give a login another role. What is open goes on, with the new role.
    Role {
        /// The name of the login.
        name: String,
        /// viewer (reads), supervisor (also enables and suspends) or owner (everything).
        role: String,
    },
    /// Remove a login, and end its sessions. An account keeps one owner.
    Remove {
        /// The name of the login.
        name: String,
    },
    /// List where a login is logged in, one a line: since when, last used when, from where.
    Sessions {
        /// The name of the login.
        name: String,
    },
    /// End all sessions of a login.
    Logout {
        /// The name of the login.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The name of the account.
    account: String,
    #[command(flatten)]
    login: WithPassword,
    /// viewer (reads), supervisor (also enables and suspends) or owner (everything).
    #[arg(long)]
    role: String,
}

impl Login {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let (command, told) = match self {
            Self::Add(Add { account, login, role }) => {
                let told = format!("login {} added to account {account} with the role {role}", login.name);
                (LoginCommand::Add { account, password_hash: login.hash()?, name: login.name, role }, told)
            }
            Self::List { account } => (LoginCommand::List { account }, String::new()),
            Self::Password(it) => {
                let told = format!("login {} has another password, and its sessions have ended", it.name);
                (LoginCommand::Password { password_hash: it.hash()?, name: it.name }, told)
            }
            Self::Role { name, role } => {
                let told = format!("login {name} has the role {role}");
                (LoginCommand::Role { name, role }, told)
            }
            Self::Remove { name } => {
                let told = format!("login {name} removed");
                (LoginCommand::Remove { name }, told)
            }
            Self::Sessions { name } => (LoginCommand::Sessions { name }, String::new()),
            Self::Logout { name } => {
                let told = format!("the sessions of login {name} have ended");
                (LoginCommand::Logout { name }, told)
            }
        };
        let reply = daemon::ask(settings, Command::Login(command))?;
        if let Reply::Logins(logins) = reply {
            let rows: Vec<_> = logins.into_iter().map(row).collect();
            let headings = ["LOGIN", "ROLE", "ACCOUNT", "SESSIONS"];
            table::lines(headings, &rows, "There are no logins.").into_iter().for_each(say);
        } else if let Reply::Sessions(sessions) = reply {
            let rows: Vec<_> = sessions.into_iter().map(session_row).collect();
            let headings = ["SINCE", "LAST USED", "FROM"];
            table::lines(headings, &rows, "There are no open sessions.").into_iter().for_each(say);
        } else {
            daemon::done(&reply)?;
            say(told);
        }
        Ok(())
    }
}

fn row(LoginStatus { name, account, role, sessions }: LoginStatus) -> [String; 4] {
    [name, role, account, sessions.to_string()]
}

fn session_row(SessionStatus { created, used, from }: SessionStatus) -> [String; 3] {
    [created, used, from.unwrap_or_else(|| "-".to_owned())]
}
