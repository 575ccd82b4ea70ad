//! The audit log, from the command line.

use serde::{Deserialize, Serialize};

use super::command::{Problem, Reply, parse};
use crate::{
    domain::{AccountId, Name, Noted, Refusal, Search, UnixTime},
    engine::{AuditError, Handle},
    telemetry,
};

/// Removals that are read in one go.
const PAGE: usize = 500;

/// Which entries are asked for.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct AuditCommand {
    /// Those about things of the account with this name, or that had it last.
    pub account: Option<String>,
    /// Those from then on, in seconds since 1970.
    pub since: Option<u64>,
    /// Those before then.
    pub until: Option<u64>,
    /// Those of this login, token, JID or number of a local user.
    pub who: Option<String>,
    /// Those of this word, or of a part of it before a `.`.
    pub what: Option<String>,
    /// Those about the queue with this name or number.
    pub queue: Option<String>,
    /// Those about the user with this name or number.
    pub user: Option<String>,
    /// Those below this number.
    pub before: Option<u64>,
    /// How many at the most.
    pub limit: usize,
}

pub(super) async fn answer(handle: &Handle, command: AuditCommand) -> Result<Reply, Problem> {
    let AuditCommand { account, since, until, who, what, queue, user, before, limit } = command;
    let account = match account {
        None => None,
        Some(name) => Some(find(handle, &parse(&name)?).await?),
    };
    let (since, until) = (since.map(UnixTime), until.map(UnixTime));
    let search = Search { account, since, until, who, what, queue, user };
    let page = handle.audit(search, before, limit).await.map_err(told)?;
    Ok(Reply::Audit(page.into()))
}

/// The account with this name; where there is none, the one that had it last, as long as its removal is in the log.
async fn find(handle: &Handle, name: &Name) -> Result<AccountId, Problem> {
    if let Some(id) = handle.read(|desk| desk.account_named(name).map(|account| account.id)) {
        return Ok(id);
    }
    let mut before = None;
    loop {
        let removals = Search { what: Some("account.remove".to_owned()), ..Search::default() };
        let page = handle.audit(removals, before, PAGE).await.map_err(told)?;
        let is_it = |noted: &Noted| noted.on.iter().any(|thing| *thing.name == *name.as_str());
        if let Some(account) = page.entries.iter().find(|(_, noted)| is_it(noted)).and_then(|(_, noted)| noted.account)
        {
            return Ok(account);
        }
        before = page.next;
        if before.is_none() {
            return Err(Problem::new(Refusal::NoAccount.to_string()));
        }
    }
}

fn told(error: AuditError) -> Problem {
    Problem::new(match error {
        AuditError::Busy => error.to_string(),
        AuditError::Store(error) => telemetry::chain(&*error),
    })
}
