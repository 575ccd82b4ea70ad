//! `rosterd audit`.

use std::fmt::Write;

use anyhow::Context;
use clap::Args;

use super::{Failure, daemon, say};
use crate::{
    clock::{self, Clock},
    config::Settings,
    domain::UnixTime,
    http::{
        NotedBody, PageBody, ThingBody,
        admin::{AuditCommand, Command, Reply},
    },
};

/// Stands above the lines for people.
const HEADING: &str = "WHEN WHO: WHAT ON WHAT; FROM WHAT -> TO WHAT";
/// The most entries that are asked for at a time.
const PAGE: usize = 500;

#[derive(Debug, Args)]
pub(super) struct Audit {
    /// Only about things of the account with this name, or that had it last.
    #[arg(long)]
    account: Option<String>,
    /// Only from then on: a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2days.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    since: Option<u64>,
    /// Only before then.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    until: Option<u64>,
    /// Only of this login, token, JID or number of a local user.
    #[arg(long)]
    who: Option<String>,
    /// Only of this kind, such as operator, or operator.suspend.
    #[arg(long)]
    what: Option<String>,
    /// Only about the queue with this name or number.
    #[arg(long)]
    queue: Option<String>,
    /// Only about the user with this name or number.
    #[arg(long)]
    user: Option<String>,
    /// How many at the most.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Print a JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let Self { account, since, until, who, what, queue, user, limit, json } = self;
        let first =
            AuditCommand { account, since, until, who, what, queue, user, before: None, limit: limit.min(PAGE) };
        let (mut left, mut is_first) = (limit, !json);
        daemon::converse(settings, Command::Audit(first.clone()), |reply| {
            let Reply::Audit(PageBody { entries, next }) = reply else { return Err(daemon::strange_reply()) };
            // A page may hold none, and name another one.
            if is_first && !entries.is_empty() {
                is_first = false;
                say(HEADING);
            }
            for entry in &entries {
                say(if json {
                    serde_json::to_string(entry).context("could not write an entry down")?
                } else {
                    line(entry)
                });
            }
            left -= entries.len().min(left);
            let more = next.filter(|_| left > 0);
            if is_first && more.is_none() {
                say("There is no such entry.");
            }
            Ok(more.map(|before| {
                Command::Audit(AuditCommand { before: Some(before), limit: left.min(PAGE), ..first.clone() })
            }))
        })
    }
}

/// Seconds from 1970 to a moment, which is named, or is so long ago.
fn seconds(text: &str) -> Result<u64, String> {
    let ago = || humantime::parse_duration(text).ok().map(|ago| Clock::System.now().since(UnixTime(ago.as_secs())));
    let wanted = || "a time such as 2026-01-31T12:00:00Z is wanted, or how long ago, such as 2days".to_owned();
    clock::read(text).ok().map(|moment| moment.0).or_else(ago).ok_or_else(wanted)
}

fn line(entry: &NotedBody) -> String {
    let NotedBody { time, by, what, on, before, after, .. } = entry;
    let mut text = format!("{time} {}", by.kind);
    if by.name != by.kind {
        let _ = write!(text, " {}", by.name);
    }
    if let Some(from) = by.from {
        let _ = write!(text, " at {from}");
    }
    let things: Vec<_> = on.iter().map(thing).collect();
    let _ = write!(text, ": {what} {}", things.join(", "));
    let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for name in names {
        let value = |fields: &std::collections::BTreeMap<String, String>| match fields.get(name) {
            Some(value) => format!("{value:?}"),
            None => "nothing".to_owned(),
        };
        let _ = write!(text, "; {name}: {} -> {}", value(before), value(after));
    }
    text
}

fn thing(thing: &ThingBody) -> String {
    let ThingBody { kind, id, name } = thing;
    id.map_or_else(|| format!("{kind} {name}"), |id| format!("{kind} {name} ({id})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::WhoBody;

    #[test]
    fn a_line_says_it_all() {
        let pair = |name: &str, value: &str| [(name.to_owned(), value.to_owned())];
        let thing = |kind: &str, id, name: &str| ThingBody { kind: kind.to_owned(), id, name: name.to_owned() };
        let mut entry = NotedBody {
            number: 7,
            time: "2026-01-31T12:00:00Z".to_owned(),
            by: WhoBody { kind: "login".to_owned(), name: "sue".to_owned(), from: "192.0.2.7".parse().ok() },
            what: "operator.suspend".to_owned(),
            account: Some(1),
            on: vec![thing("queue", Some(3), "law"), thing("user", Some(5), "ann")],
            before: pair("enabled", "true").into(),
            after: [pair("enabled", "false"), pair("reason", "out\nto lunch")].concat().into_iter().collect(),
        };
        insta::assert_snapshot!(line(&entry), @r#"2026-01-31T12:00:00Z login sue at 192.0.2.7: operator.suspend queue law (3), user ann (5); enabled: "true" -> "false"; reason: nothing -> "out\nto lunch""#);
        (entry.by.from, entry.on) = (None, vec![thing("login", None, "kim")]);
        (entry.before, entry.after) = Default::default();
        insta::assert_snapshot!(line(&entry), @"2026-01-31T12:00:00Z login sue: operator.suspend login kim");
    }

    #[test]
    fn times() {
        assert_eq!(seconds("2023-11-14T22:13:20Z"), Ok(1_700_000_000));
        let day_ago = seconds("1day").unwrap();
        assert!(seconds("0s").unwrap().abs_diff(day_ago + 86_400) < 60);
        assert_eq!(seconds("1000000years"), Ok(0), "there was nothing before");
        assert!(seconds("soon").is_err());
    }
}
