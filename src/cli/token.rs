//! `rosterd token`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Failure, daemon, say, table};
use crate::{
    config::Settings,
    http::admin::{Command, Reply, TokenCommand, TokenStatus},
};

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make a token for a program, and print it, this once: what is kept can not be turned back.
    Add(Add),
    /// List the tokens, one a line: name, role, account, made when, expires when, last used when.
    List {
        /// The name of the account; of all where none is given.
        account: Option<String>,
    },
    /// Take a token back.
    Revoke {
        /// The name of the account.
        account: String,
        /// The name of the token.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The name of the account.
    account: String,
    /// What to call it: the program that uses it.
    #[arg(long)]
    name: String,
    /// viewer (reads), supervisor (also enables and suspends) or owner (everything).
    #[arg(long)]
    role: String,
    /// How long it is good, such as 90days; for ever where nothing is said.
    #[arg(long, value_name = "TIME", value_parser = length)]
    expires: Option<Duration>,
}

fn length(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "a length of time is wanted, such as 90days or 12hours".to_owned())
}

impl Token {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let (command, told) = match self {
            Self::Add(Add { account, name, role, expires }) => {
                let expires_in = expires.map(|length| length.as_secs());
                (TokenCommand::Add { account, name, role, expires_in }, String::new())
            }
            Self::List { account } => (TokenCommand::List { account }, String::new()),
            Self::Revoke { account, name } => {
                let told = format!("token {name} of account {account} revoked");
                (TokenCommand::Revoke { account, name }, told)
            }
        };
        let reply = daemon::ask(settings, Command::Token(command))?;
        if let Reply::Tokens(tokens) = reply {
            let rows: Vec<_> = tokens.into_iter().map(row).collect();
            let headings = ["TOKEN", "ROLE", "ACCOUNT", "MADE", "EXPIRES", "LAST USED"];
            table::lines(headings, &rows, "There are no tokens.").into_iter().for_each(say);
        } else if let Reply::Token(token) = reply {
            say(token);
        } else {
            daemon::done(&reply)?;
            say(told);
        }
        Ok(())
    }
}

fn row(token: TokenStatus) -> [String; 6] {
    let TokenStatus { name, account, role, created, expires, expired, used } = token;
    let or_dash = |moment: Option<String>| moment.unwrap_or_else(|| "-".to_owned());
    let end = if expired { " (expired)" } else { "" };
    [name, role, account, created, or_dash(expires) + end, or_dash(used)]
}
