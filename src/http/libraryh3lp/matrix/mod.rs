//! Every request of the contract, in every way to write it, under every version: all ways get the same answer and do the same.
//! What that is stands in `snapshots`, for people to read. A request that changes something has a world of its own.

#![cfg(test)]

mod ways;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{
    domain::Record,
    http::{
        libraryh3lp::VERSIONS,
        testing::{Reply, Rig},
    },
};
use ways::Way;

/// A request of the table.
struct Asked<'a> {
    line: &'a str,
    method: &'a str,
    path: &'a str,
    ways: Vec<Way>,
}

impl<'a> Asked<'a> {
    fn parse(line: &'a str) -> Self {
        let (method, rest) = line.split_once(' ').unwrap();
        let (path, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let (only, fields) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
        let fields = fields.replace("x255", &"x".repeat(255));
        let ways = if fields.is_empty() {
            ways::reads(method)
        } else {
            let fields: Map<String, Value> = serde_json::from_str(&fields).expect(line);
            ways::writes(method, &fields, only.trim())
        };
        Self { line, method, path, ways }
    }

    /// All ways; what is said of PUT holds for PATCH too.
    fn all_ways(&self) -> Vec<Way> {
        let patch = |way: &Way| Way {
            label: format!("{}, PATCH", way.label),
            method: way.method.replace("PUT", "PATCH"),
            query: way.query.replace("PUT", "PATCH").replace("put", "patch"),
            body: String::from_utf8(way.body.clone()).unwrap().replace("PUT", "PATCH").replace("put", "patch").into(),
            ..way.clone()
        };
        let patches: Vec<_> = if self.method == "PUT" { self.ways.iter().map(patch).collect() } else { Vec::new() };
        self.ways.iter().cloned().chain(patches).collect()
    }
}

/// What is kept, a line each.
fn state(rig: &Rig) -> BTreeSet<String> {
    let line = |record| match record {
        Record::Queue(it) => {
            let more = format!("email {:?}, avatar {:?}, transcripts {}", it.email, it.avatar, it.transcripts);
            Some(format!("queue {} {}, {more}", it.id, it.name))
        }
        Record::User(it) => Some(format!("user {} {}, {}, email {:?}", it.id, it.name, it.jid, it.email)),
        Record::Operator(it) => Some(format!(
            "operator {} on {}, {}",
            it.user,
            it.queue,
            if it.suspended.is_none() { "enabled" } else { "suspended" }
        )),
        Record::NextId(_) | Record::Account(_) | Record::Subscriber(_) | Record::Session(_) | Record::Token(_) => None,
    };
    rig.records().into_iter().filter_map(line).collect()
}

/// Worlds, a new one whenever the one before was changed.
struct Worlds(Option<Rig>);

impl Worlds {
    /// What was answered, and what was changed, a line each.
    async fn ask(&mut self, prefix: &str, path: &str, way: &Way) -> (Reply, Vec<String>) {
        let rig = match self.0.take() {
            Some(rig) => rig,
            None => Rig::new().await,
        };
        let before = state(&rig);
        let slash = if path.ends_with('/') { "" } else { way.slash };
        let request = format!("{} {prefix}{path}{slash}?{}", way.method, way.query);
        let mut headers = vec![("cookie", "libraryh3lp-session=boss")];
        headers.extend(Some(("content-type", way.content_type)).filter(|(_, value)| !value.is_empty()));
        let reply = rig.send(&request, &way.body, &headers).await;
        let after = state(&rig);
        let gone = before.difference(&after).map(|line| format!("- {line}"));
        let changes: Vec<_> = gone.chain(after.difference(&before).map(|line| format!("+ {line}"))).collect();
        // Logins and logouts change what is not looked at here.
        if changes.is_empty() && !path.starts_with("/auth") {
            self.0 = Some(rig);
        }
        (reply, changes)
    }
}

/// Status and body, a failure by its text alone.
fn told(reply: &Reply) -> String {
    let object: Option<Map<String, Value>> = serde_json::from_str(&reply.body).ok();
    let failure = object.filter(|object| object.get("success") == Some(&Value::Null));
    let Some(text) = failure.as_ref().and_then(|object| object.get("message")) else { return reply.line() };
    assert_eq!(reply.body, format!(r#"{{"success":null,"message":{text},"error":{text}}}"#));
    format!("{} ! {}", reply.status.as_u16(), text.as_str().unwrap())
}

/// What comes of every request of a section.
async fn answers(section: &str) -> String {
    let mut sections = include_str!("requests.txt").split("== ");
    let requests = sections.find_map(|text| text.strip_prefix(section)).expect("the section is there");
    let mut worlds = Worlds(None);
    let mut all = String::new();
    for line in requests.lines().filter(|line| !line.is_empty()) {
        all += &format!("{line}\n");
        if !line.starts_with('#') {
            all += &answer(&mut worlds, &Asked::parse(line)).await;
        }
    }
    all
}

/// What comes of a request: in the first version, and in the later ones if that is something else.
async fn answer(worlds: &mut Worlds, asked: &Asked<'_>) -> String {
    let mut by_version = Vec::new();
    for (prefix, _) in VERSIONS {
        let mut first = None;
        for way in asked.all_ways() {
            let (reply, changes) = worlds.ask(prefix, asked.path, &way).await;
            assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"), "{}", asked.line);
            let answer = (told(&reply), reply.header("allow").map(ToOwned::to_owned), changes);
            let expected = first.get_or_insert_with(|| answer.clone());
            assert_eq!(&answer, expected, "{} as {} under {prefix}", asked.line, way.label);
        }
        by_version.push(first.expect("there is a way"));
    }
    assert!(by_version[1..].windows(2).all(|two| two[0] == two[1]), "{}: the later versions are one", asked.line);
    let (told, allow, changes) = &by_version[0];
    assert_eq!((allow, changes), (&by_version[1].1, &by_version[1].2), "{}: all versions do the same", asked.line);
    let later = (by_version[1].0 != *told).then(|| format!("later: {}", by_version[1].0));
    let allow = allow.iter().map(|allow| format!("Allow: {allow}"));
    let lines = [told.clone()].into_iter().chain(later).chain(allow).chain(changes.iter().cloned());
    lines.fold(String::new(), |text, line| text + "  " + &line + "\n")
}

async fn check(section: &str) {
    let answers = answers(section).await;
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots", omit_expression => true }, {
        insta::assert_snapshot!(section, answers);
    });
}

#[tokio::test]
async fn queues() {
    check("queues").await;
}

#[tokio::test]
async fn users() {
    check("users").await;
}

#[tokio::test]
async fn operators() {
    check("operators").await;
}

#[tokio::test]
async fn assignments() {
    check("assignments").await;
}

#[tokio::test]
async fn login() {
    check("login").await;
}

#[tokio::test]
async fn others() {
    check("others").await;
}
