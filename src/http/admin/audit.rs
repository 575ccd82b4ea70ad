//! The audit log, from the command line.

use serde::{Deserialize, Serialize};

use super::command::{Problem, Reply, parse};
use crate::{
    domain::{Refusal, Search, UnixTime},
    engine::Handle,
    telemetry,
};

/// Which entries are asked for.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct AuditCommand {
    /// Those about things of the account with this name.
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
        Some(name) => {
            let name = parse(&name)?;
            let id = handle.read(|desk| desk.account_named(&name).map(|account| account.id));
            Some(id.ok_or_else(|| Problem::new(Refusal::NoAccount.to_string()))?)
        }
    };
    let (since, until) = (since.map(UnixTime), until.map(UnixTime));
    let search = Search { account, since, until, who, what, queue, user };
    let page = handle.audit(search, before, limit).await.map_err(|error| Problem::new(telemetry::chain(&*error)))?;
    Ok(Reply::Audit(page.into()))
}
