//! `rosterd account`.

use clap::{Args, Subcommand};

use super::{Code, Failure, daemon, say, table, terminal};
use crate::{
    config::Settings,
    domain::BareJid,
    http::admin::{AccountStatus, Command, LoginCommand, Reply},
    password,
};

#[derive(Debug, Subcommand)]
pub(super) enum Account {
    /// Make an account, with a login of the same name who owns it; its password is asked for.
    Add(WithPassword),
    /// List the accounts, one name a line, with the JIDs that are linked to it behind it.
    List,
    /// Remove an account, with its logins and tokens.
    Remove {
        /// The name of the account.
        name: String,
        /// Remove its users and queues too.
        #[arg(long)]
        force: bool,
    },
    /// Give the login of the account's name another password, and end its sessions.
    Password(WithPassword),
    /// Let a JID manage the account's queues from a chat client (ad-hoc commands). One JID may be linked to several accounts.
    Link(Admin),
    /// Let a JID manage an account no longer.
    Unlink(Admin),
}

#[derive(Debug, Args)]
pub(super) struct Admin {
    /// The name of the account.
    name: String,
    /// The JID, such as sue@example.org.
    jid: String,
}

#[derive(Debug, Args)]
pub(super) struct WithPassword {
    /// The name.
    pub(super) name: String,
    /// Read the password from the first line of standard input instead of asking for it twice.
    #[arg(long)]
    password_stdin: bool,
}

impl WithPassword {
    pub(super) fn hash(&self) -> Result<Box<str>, Failure> {
        let password = terminal::read_password(&self.name, self.password_stdin)?;
        password::hash(&password).map_err(|error| Failure::new(Code::Failed, error))
    }
}

/// The JID as it is kept, which may not be what was typed; what is none is for the daemon to refuse.
fn prepared(jid: String) -> String {
    BareJid::parse(&jid).map_or(jid, |prepared| prepared.to_string())
}

impl Account {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let (command, told) = match self {
            Self::Add(it) => {
                let told = format!("account {0} added, with the login {0}, its owner", it.name);
                (Command::AddAccount { password_hash: it.hash()?, name: it.name }, told)
            }
            Self::Password(it) => {
                let told = format!("account {} has another password, and its sessions have ended", it.name);
                (Command::Login(LoginCommand::Password { password_hash: it.hash()?, name: it.name }), told)
            }
            Self::Remove { name, force } => {
                let told = format!("account {name} removed");
                (Command::RemoveAccount { name, with_all: force }, told)
            }
            Self::Link(Admin { name, jid }) => {
                let jid = prepared(jid);
                let told = format!("{jid} may manage account {name} now");
                (Command::LinkAdmin { name, jid }, told)
            }
            Self::Unlink(Admin { name, jid }) => {
                let jid = prepared(jid);
                let told = format!("{jid} may not manage account {name} any more");
                (Command::UnlinkAdmin { name, jid }, told)
            }
            Self::List => (Command::Accounts, String::new()),
        };
        let hint = |failure: Failure| failure.hint_when("would be removed too", "say --force to remove them");
        let reply = daemon::ask(settings, command).map_err(hint)?;
        if let Reply::Accounts(accounts) = reply {
            let row = |it: AccountStatus| [it.name, it.admins.into_iter().collect::<Vec<_>>().join(" ")];
            let rows: Vec<_> = accounts.into_iter().map(row).collect();
            table::lines(["ACCOUNT", "ADMINS"], &rows, "There are no accounts.").into_iter().for_each(say);
        } else {
            daemon::done(&reply)?;
            say(told);
        }
        Ok(())
    }
}
