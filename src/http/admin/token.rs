//! Tokens, from the command line.

use serde::{Deserialize, Serialize};

use super::{
    command::{Problem, Reply, done, parse},
    login::role,
};
use crate::{
    clock,
    domain::{Edit, Refusal, Token, UnixTime, Who},
    engine::{Handle, unix_now},
    http::auth,
};

/// What is asked for of tokens.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenCommand {
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
        /// After how many seconds it is good for nothing.
        expires_in: Option<u64>,
    },
    /// Take one back.
    Revoke {
        /// The name of the account.
        account: String,
        /// Its name.
        name: String,
    },
}

/// A token, as it is listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TokenStatus {
    /// Its name.
    pub name: String,
    /// The name of its account.
    pub account: String,
    /// The name of its role.
    pub role: String,
    /// When it was made (RFC 3339).
    pub created: String,
    /// From when it is good for nothing.
    pub expires: Option<String>,
    /// Whether that is so by now.
    pub expired: bool,
    /// When it was last used, to the hour.
    pub used: Option<String>,
}

pub(super) async fn answer(handle: &Handle, by: Who, command: TokenCommand) -> Result<Reply, Problem> {
    match command {
        TokenCommand::List { account } => list(handle, account.as_deref()),
        TokenCommand::Add { account, name, role: word, expires_in } => {
            let (account, name, role, now) = (parse(&account)?, parse(&name)?, role(&word)?, unix_now());
            let expires = expires_in.map(|seconds| UnixTime(now.0.saturating_add(seconds)));
            let (token, hash) = auth::make_token()
                .map_err(|error| Problem::new(format!("the operating system gives no random bytes: {error}")))?;
            done(handle.edit(by, Edit::AddToken { account, name, role, hash, now, expires }).await)?;
            Ok(Reply::Token(token))
        }
        TokenCommand::Revoke { account, name } => {
            done(handle.edit(by, Edit::RevokeToken { account: parse(&account)?, name: parse(&name)? }).await)
        }
    }
}

fn list(handle: &Handle, account: Option<&str>) -> Result<Reply, Problem> {
    let only = account.map(parse).transpose()?;
    let now = unix_now();
    let tokens = handle.read(|desk| {
        if only.as_ref().is_some_and(|only| desk.account_named(only).is_none()) {
            return None;
        }
        let accounts = desk.accounts().filter(|account| only.as_ref().is_none_or(|only| account.name == *only));
        let of_account = |account: &crate::domain::Account| {
            let status = |token: &Token| TokenStatus {
                name: token.name.to_string(),
                account: account.name.to_string(),
                role: token.role.to_string(),
                created: clock::write(token.created),
                expires: token.expires.map(clock::write),
                expired: !token.is_good(now),
                used: token.used.map(clock::write),
            };
            desk.tokens(account.id).map(status).collect::<Vec<_>>()
        };
        Some(accounts.flat_map(of_account).collect())
    });
    tokens.map(Reply::Tokens).ok_or_else(|| Problem::new(Refusal::NoAccount.to_string()))
}
