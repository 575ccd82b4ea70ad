//! `rosterd account`.

use clap::{Args, Subcommand};

use super::{Code, Failure, daemon, say, terminal};
use crate::{
    config::Settings,
    http::admin::{Command, Reply},
    password,
};

#[derive(Debug, Subcommand)]
pub(super) enum Account {
    /// Make an account; its password is asked for.
    Add(WithPassword),
    /// List the accounts, one name a line.
    List,
    /// Remove an account, and end its sessions.
    Remove {
        /// The name of the account.
        name: String,
        /// Remove its users and queues too.
        #[arg(long)]
        force: bool,
    },
    /// Give an account another password, and end its sessions.
    Password(WithPassword),
}

#[derive(Debug, Args)]
pub(super) struct WithPassword {
    /// The name of the account.
    name: String,
    /// Read the password from the first line of standard input instead of asking for it twice.
    #[arg(long)]
    password_stdin: bool,
}

impl WithPassword {
    fn hash(&self) -> Result<Box<str>, Failure> {
        let password = terminal::read_password(&self.name, self.password_stdin)?;
        password::hash(&password).map_err(|error| Failure::new(Code::Failed, error))
    }
}

impl Account {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let (command, told) = match self {
            Self::Add(it) => {
                let told = format!("account {} added", it.name);
                (Command::AddAccount { password_hash: it.hash()?, name: it.name }, told)
            }
            Self::Password(it) => {
                let told = format!("account {} has another password, and its sessions have ended", it.name);
                (Command::SetPassword { password_hash: it.hash()?, name: it.name }, told)
            }
            Self::Remove { name, force } => {
                let told = format!("account {name} removed");
                (Command::RemoveAccount { name, with_all: force }, told)
            }
            Self::List => (Command::Accounts, String::new()),
        };
        let hint = |failure: Failure| failure.hint_when("would be removed too", "say --force to remove them");
        match daemon::ask(settings, command).map_err(hint)? {
            Reply::Accounts(names) => names.iter().for_each(say),
            Reply::Done => say(told),
            Reply::Status(_) | Reply::Ready(_) => return Err(daemon::strange_reply()),
        }
        Ok(())
    }
}
