//! `rosterd status`.

use std::fmt::Write;

use anyhow::Context;
use clap::Args;

use super::{Failure, daemon, say};
use crate::{
    config::Settings,
    http::admin::{self, Command, Link, OperatorStatus, Reply},
};

#[derive(Debug, Args)]
pub(super) struct Status {
    /// Print everything as JSON, with the reasons of every show.
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let Reply::Status(status) = daemon::ask_running(settings, &Command::Status)? else {
            return Err(daemon::strange_reply());
        };
        if self.json {
            say(serde_json::to_string_pretty(&status).context("could not write the status down")?);
        } else {
            say(table(&status).trim_end());
        }
        Ok(())
    }
}

fn table(status: &admin::Status) -> String {
    let mut text = format!("link: {}\n", link(status));
    text += &onboarding(&status.onboarding);
    if let Some(failure) = &status.store_failure {
        text += &format!("store: failed: {failure}\n");
    }
    let waiting = not_approved(status);
    if !waiting.is_empty() {
        text += &format!("not approved yet, so not seen: {}\n", waiting.join(", "));
    }
    if status.queues.is_empty() {
        return text + "\nThere are no queues yet.\n";
    }
    let on: Vec<_> = status.queues.iter().map(|queue| who_is_on(&queue.operators)).collect();
    let head = ("QUEUE", "SHOW", "TAKING WORK", "ON");
    let name_width = status.queues.iter().map(|queue| queue.name.chars().count()).chain([head.0.len()]).max();
    let width = name_width.unwrap_or_default();
    let _ = writeln!(text, "\n{:width$}  {:11}  {:11}  {}", head.0, head.1, head.2, head.3);
    for (queue, on) in status.queues.iter().zip(on) {
        let working = format!("{} of {}", queue.ready, queue.enabled);
        let _ = writeln!(text, "{:width$}  {:11}  {working:11}  {on}", queue.name, queue.show);
    }
    text
}

/// How the link is, since when, and when it is tried next.
pub(super) fn link(status: &admin::Status) -> String {
    let since = status.link_since.as_ref().map_or(String::new(), |since| format!("since {since}"));
    match &status.link {
        Link::Up => format!("up {since}").trim_end().to_owned(),
        Link::Sweeping { done, total } => format!("up, asking everybody for their presence: {done}/{total}"),
        Link::Down { why, next_try_in } => {
            let next = next_try_in.map_or("trying now".to_owned(), |seconds| format!("next try in {seconds} s"));
            let told = [since, next].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(", ");
            format!("down: {} ({told})", why.as_deref().unwrap_or("not connected yet"))
        }
    }
}

/// How operators are brought to let us see them, where that is not the ordinary way.
fn onboarding(admin::Onboarding { method, in_use }: &admin::Onboarding) -> String {
    match in_use.as_deref() {
        Some(in_use) if in_use != method => {
            format!("onboarding: people are asked, since {method} can not be used now: the log says why\n")
        }
        Some("subscribe") => "onboarding: people are asked, and say yes in their chat client\n".to_owned(),
        Some(_) | None => format!("onboarding: {method}\n"),
    }
}

/// Everybody who was asked to let us see their presence, and did not say yes.
pub(super) fn not_approved(status: &admin::Status) -> Vec<&str> {
    let waits = |it: &&OperatorStatus| it.reasons.iter().any(|reason| reason == "not-approved" || reason == "refused");
    let mut names: Vec<_> =
        status.queues.iter().flat_map(|queue| &queue.operators).filter(waits).map(|it| &*it.jid).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Everybody who is not offline, those who count first.
fn who_is_on(operators: &[OperatorStatus]) -> String {
    let mut on: Vec<_> = operators.iter().filter(|it| it.show != "unavailable").collect();
    on.sort_by_key(|it| !it.enabled);
    let shown = |it: &&OperatorStatus| {
        let until = it.suspended_until.as_ref().map_or(String::new(), |until| format!(" until {until}"));
        let suspended = match &it.suspended_because {
            _ if it.enabled => String::new(),
            Some(cause) => format!("suspended{until}: {cause}; "),
            None => format!("suspended{until}, "),
        };
        let says = |reason: &str| it.reasons.iter().any(|it| it == reason);
        let kept = match () {
            () if says("lingering") => ", gone a moment ago",
            () if says("held") => ", before the link was lost",
            () => "",
        };
        format!("{} ({suspended}{}{kept})", it.name, it.show)
    };
    let names: Vec<_> = on.iter().map(shown).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::admin::{QueueStatus, TallyStatus};

    fn operator(name: &str, show: &str, enabled: bool, reason: &str) -> OperatorStatus {
        let (jid, reasons) = (format!("{name}@example.org"), vec![reason.to_owned()]);
        OperatorStatus {
            id: 1,
            name: name.into(),
            jid,
            show: show.into(),
            status: None,
            enabled,
            reasons,
            suspended_because: (name == "kim").then(|| "lunch".to_owned()),
            suspended_until: (name == "kim").then(|| "2026-11-22T02:30:00Z".to_owned()),
            resources: Vec::new(),
        }
    }

    fn queue(name: &str, show: &str, ready: u32, operators: Vec<OperatorStatus>) -> QueueStatus {
        QueueStatus {
            id: 1,
            name: name.into(),
            jid: String::new(),
            account: String::new(),
            show: show.into(),
            status: String::new(),
            reasons: Vec::new(),
            ready,
            enabled: 2,
            operators,
        }
    }

    #[test]
    fn a_table_for_people() {
        let on = vec![
            operator("ann", "away", false, "suspended"),
            operator("kim", "xa", false, "suspended"),
            operator("lee", "chat", true, "lingering"),
            operator("bob", "chat", true, "show-chat"),
            operator("eve", "unavailable", true, "not-approved"),
        ];
        let status = admin::Status {
            version: String::new(),
            link: Link::Up,
            link_since: Some("2026-11-22T02:00:00Z".into()),
            onboarding: admin::Onboarding { method: "privilege".into(), in_use: Some("subscribe".into()) },
            store_failure: None,
            queues: vec![queue("law", "chat", 1, on), queue("a-long-name", "unavailable", 0, Vec::new())],
            tasks: 0,
            tally: TallyStatus { unknown_shows: 0, stale: 0, strangers: 0, dropped: std::collections::BTreeMap::new() },
        };
        insta::assert_snapshot!(table(&status), @r"
        link: up since 2026-11-22T02:00:00Z
        onboarding: people are asked, since privilege can not be used now: the log says why
        not approved yet, so not seen: eve@example.org

        QUEUE        SHOW         TAKING WORK  ON
        law          chat         1 of 2       lee (chat, gone a moment ago), bob (chat), ann (suspended, away), kim (suspended until 2026-11-22T02:30:00Z: lunch; xa)
        a-long-name  unavailable  0 of 2       nobody
        ");
        let down = |next_try_in| Link::Down { why: Some("cut".to_owned()), next_try_in };
        let status = admin::Status { link: down(Some(12)), ..status };
        assert_eq!(link(&status), "down: cut (since 2026-11-22T02:00:00Z, next try in 12 s)");
        let status = admin::Status { link: down(None), ..status };
        assert_eq!(link(&status), "down: cut (since 2026-11-22T02:00:00Z, trying now)");
    }
}
