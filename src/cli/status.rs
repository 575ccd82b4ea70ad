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
    let mut text = match &status.link {
        Link::Up => "link: up\n".to_owned(),
        Link::Sweeping { done, total } => format!("link: up, asking everybody for their presence: {done}/{total}\n"),
        Link::Down { why } => format!("link: down: {}\n", why.as_deref().unwrap_or("not connected yet")),
    };
    if let Some(failure) = &status.store_failure {
        text += &format!("store: failed: {failure}\n");
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

/// Everybody who is not offline, those who count first.
fn who_is_on(operators: &[OperatorStatus]) -> String {
    let mut on: Vec<_> = operators.iter().filter(|it| it.show != "unavailable").collect();
    on.sort_by_key(|it| !it.enabled);
    let shown = |it: &&OperatorStatus| {
        let suspended = if it.enabled { "" } else { "suspended, " };
        format!("{} ({suspended}{})", it.name, it.show)
    };
    let names: Vec<_> = on.iter().map(shown).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}
