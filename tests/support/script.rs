//! The language of the scenarios: one step a line, `#` begins a comment.
//!
//! ```text
//! ping after 1s timeout 3s      how long clients may be silent, and take to answer; before anything else, as are
//! linger 1s                     how long who went is shown, and
//! link grace 1s                 how long what was shown is held when the link was lost
//!
//! queue law: ann bob            a queue, its users and their assignments are made over HTTPS
//! delete queue law
//! rename queue law to tax
//! assign bob to law             unassign bob from law
//! suspend ann on law            enable ann on law
//!
//! ann/desk: away                a client logs in, if it is not there, and shows this; one of six words
//! ann/phone: chat, priority -1, "lunch"
//! ann: available                the resource is `home` where none is named
//! ann/desk: leaves              the client ends its stream
//! ann/desk: crashes             the client's connection is reset
//! ann/desk: freezes             the client reads nothing and says nothing, and keeps its connection
//! ann/desk: thaws               it goes on where it was
//! ann revokes                   ann no longer lets the watcher see her presence
//!
//! carol follows law             carol unfollows law
//! law -> carol: dnd             what carol is told next by law, and nothing else comes in between
//! law -> carol: dnd "None of 2 operators takes work now"
//! law -> carol: unsubscribed
//! law -> carol: nothing         everything has settled, and carol has been told nothing more
//! https law: away               what HTTPS says of the queue, soon
//! watch law: away               what HTTPS says of the queue all the time, from now until
//! law was watched
//!
//! start daemon                  stop daemon, restart daemon, kill daemon
//! restart server                every client is gone then
//! cut link                      the daemon loses the server, which nobody else does, and says at once that it is not ready
//! mend link                     it is connected again, and has heard everybody
//! ```

use std::{collections::BTreeSet, fmt};

use anyhow::{Context, Result, bail, ensure};
use rosterd::domain::Show;

use super::times::Times;

/// A connected client.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) resource: String,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.resource)
    }
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Queue { queue: String, users: Vec<String> },
    DeleteQueue { queue: String },
    RenameQueue { queue: String, to: String },
    Assign { user: String, queue: String },
    Unassign { user: String, queue: String },
    Enable { user: String, queue: String, enabled: bool },
    Show { who: Who, show: Show, priority: i8, status: String },
    Leave { who: Who },
    Crash { who: Who },
    Freeze { who: Who },
    Thaw { who: Who },
    Revoke { name: String },
    Follow { who: Who, queue: String },
    Unfollow { who: Who, queue: String },
    Told { queue: String, who: Who, what: Told },
    Https { queue: String, show: Show },
    Watch { queue: String, show: Show },
    Watched { queue: String },
    Start,
    Stop,
    Restart,
    Kill,
    RestartServer,
    Cut,
    Mend,
}

/// What a follower is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Presence { show: Show, status: Option<String> },
    Unsubscribed,
    Nothing,
}

/// A line of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// `file:line: text`, for messages.
    pub(crate) at: String,
    pub(crate) act: Act,
}

/// A scenario.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) times: Times,
    pub(crate) steps: Vec<Step>,
}

impl Script {
    /// Reads a scenario; `file` is for messages.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self> {
        let mut steps = Vec::new();
        let mut times = Times::DEFAULT;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let at = format!("{file}:{number}: {line}");
            if set(&mut times, line) {
                ensure!(steps.is_empty(), "{at}: has to come first");
                continue;
            }
            let act = parse(line).with_context(|| at.clone())?;
            steps.push(Step { at, act });
        }
        ensure!(!steps.is_empty(), "{file}: nothing happens");
        Ok(Self { times, steps })
    }

    /// Everybody who needs an account on the XMPP server.
    pub(crate) fn people(&self) -> BTreeSet<&str> {
        self.steps.iter().flat_map(|step| step.act.people()).collect()
    }
}

impl Act {
    fn people(&self) -> Vec<&str> {
        match self {
            Self::Queue { users, .. } => users.iter().map(String::as_str).collect(),
            Self::Assign { user: name, .. }
            | Self::Unassign { user: name, .. }
            | Self::Enable { user: name, .. }
            | Self::Revoke { name }
            | Self::Show { who: Who { name, .. }, .. }
            | Self::Leave { who: Who { name, .. } }
            | Self::Crash { who: Who { name, .. } }
            | Self::Freeze { who: Who { name, .. } }
            | Self::Thaw { who: Who { name, .. } }
            | Self::Follow { who: Who { name, .. }, .. }
            | Self::Unfollow { who: Who { name, .. }, .. }
            | Self::Told { who: Who { name, .. }, .. } => vec![name],
            Self::DeleteQueue { .. }
            | Self::RenameQueue { .. }
            | Self::Https { .. }
            | Self::Watch { .. }
            | Self::Watched { .. }
            | Self::Start
            | Self::Stop
            | Self::Restart
            | Self::Kill
            | Self::RestartServer
            | Self::Cut
            | Self::Mend => Vec::new(),
        }
    }
}

/// Takes a line that sets something, if it is one.
fn set(times: &mut Times, line: &str) -> bool {
    match *line.split(' ').collect::<Vec<_>>() {
        ["ping", "after", after, "timeout", timeout] => times.pings = Some((after.to_owned(), timeout.to_owned())),
        ["linger", linger] => times.linger = Some(linger.to_owned()),
        ["link", "grace", grace] => times.link_grace = Some(grace.to_owned()),
        _ => return false,
    }
    true
}

fn parse(line: &str) -> Result<Act> {
    let (line, status) = match line.split_once('"') {
        Some((line, rest)) => (line, Some(rest.strip_suffix('"').context("the text in \" does not end")?.to_owned())),
        None => (line, None),
    };
    let words: Vec<_> = line.split([' ', ':', ',']).filter(|word| !word.is_empty()).collect();
    let text = |word: &str| word.to_owned();
    let act = match *words {
        ["queue", queue, ref users @ ..] => {
            Act::Queue { queue: text(queue), users: users.iter().copied().map(text).collect() }
        }
        ["delete", "queue", queue] => Act::DeleteQueue { queue: text(queue) },
        ["rename", "queue", queue, "to", to] => Act::RenameQueue { queue: text(queue), to: text(to) },
        ["assign", user, "to", queue] => Act::Assign { user: text(user), queue: text(queue) },
        ["unassign", user, "from", queue] => Act::Unassign { user: text(user), queue: text(queue) },
        ["enable", user, "on", queue] => Act::Enable { user: text(user), queue: text(queue), enabled: true },
        ["suspend", user, "on", queue] => Act::Enable { user: text(user), queue: text(queue), enabled: false },
        [name, "revokes"] => Act::Revoke { name: text(name) },
        [whom, "leaves"] => Act::Leave { who: who(whom)? },
        [whom, "crashes"] => Act::Crash { who: who(whom)? },
        [whom, "freezes"] => Act::Freeze { who: who(whom)? },
        [whom, "thaws"] => Act::Thaw { who: who(whom)? },
        [whom, "follows", queue] => Act::Follow { who: who(whom)?, queue: text(queue) },
        [whom, "unfollows", queue] => Act::Unfollow { who: who(whom)?, queue: text(queue) },
        ["https", queue, word] => Act::Https { queue: text(queue), show: show(word)? },
        ["watch", queue, word] => Act::Watch { queue: text(queue), show: show(word)? },
        [queue, "was", "watched"] => Act::Watched { queue: text(queue) },
        ["start", "daemon"] => Act::Start,
        ["stop", "daemon"] => Act::Stop,
        ["restart", "daemon"] => Act::Restart,
        ["kill", "daemon"] => Act::Kill,
        ["restart", "server"] => Act::RestartServer,
        ["cut", "link"] => Act::Cut,
        ["mend", "link"] => Act::Mend,
        [queue, "->", whom, word] => {
            let what = match word {
                "nothing" => Told::Nothing,
                "unsubscribed" => Told::Unsubscribed,
                word => Told::Presence { show: show(word)?, status: status.clone() },
            };
            let is_presence = matches!(what, Told::Presence { .. });
            ensure!(is_presence || status.is_none(), "only a presence has a text");
            return Ok(Act::Told { queue: text(queue), who: who(whom)?, what });
        }
        [whom, word, ref rest @ ..] => {
            let priority = match rest {
                [] => 0,
                ["priority", number] => number.parse().with_context(|| format!("{number} is no priority"))?,
                _ => bail!("this is no step: {words:?}"),
            };
            let status = status.unwrap_or_default();
            return Ok(Act::Show { who: who(whom)?, show: show(word)?, priority, status });
        }
        _ => bail!("this is no step: {words:?}"),
    };
    ensure!(status.is_none(), "only a presence has a text");
    Ok(act)
}

fn who(text: &str) -> Result<Who> {
    let (name, resource) = text.split_once('/').unwrap_or((text, "home"));
    ensure!(!name.is_empty() && !resource.is_empty(), "{text} is nobody");
    Ok(Who { name: name.to_owned(), resource: resource.to_owned() })
}

fn show(word: &str) -> Result<Show> {
    Show::from_word(word).with_context(|| format!("{word} is no show"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(line: &str) -> Act {
        parse(line).unwrap()
    }

    #[test]
    fn steps_are_read() {
        let (law, ann, home) = (|| "law".to_owned(), || "ann".to_owned(), || who("carol").unwrap());
        assert_eq!(act("queue law: ann, bob"), Act::Queue { queue: law(), users: vec![ann(), "bob".to_owned()] });
        assert_eq!(act("suspend ann on law"), Act::Enable { user: ann(), queue: law(), enabled: false });
        let desk = Who { name: ann(), resource: "desk".to_owned() };
        let away = Act::Show { who: desk, show: Show::Away, priority: -1, status: "at lunch: 2".to_owned() };
        assert_eq!(act("ann/desk: away, priority -1, \"at lunch: 2\""), away);
        let what = Told::Presence { show: Show::Dnd, status: None };
        assert_eq!(act("law -> carol: dnd"), Act::Told { queue: law(), who: home(), what });
        assert_eq!(act("law -> carol: nothing"), Act::Told { queue: law(), who: home(), what: Told::Nothing });
        assert_eq!(act("carol follows law"), Act::Follow { who: home(), queue: law() });
        assert_eq!(act("restart daemon"), Act::Restart);
        assert_eq!(act("rename queue law to tax"), Act::RenameQueue { queue: law(), to: "tax".to_owned() });
    }

    #[test]
    fn mistakes_name_the_file_and_the_line() {
        let check = |text: &str, want: &str| {
            let error = Script::parse("day.txt", text).unwrap_err();
            assert_eq!(format!("{error:#}"), want);
        };
        check("\n\nann: bored", "day.txt:3: ann: bored: bored is no show");
        check(
            "ann: away, priority 900",
            "day.txt:1: ann: away, priority 900: 900 is no priority: number too large to fit in target type",
        );
        check("dance", "day.txt:1: dance: this is no step: [\"dance\"]");
        check("law -> carol: nothing \"x\"", "day.txt:1: law -> carol: nothing \"x\": only a presence has a text");
        check("ann: away \"x", "day.txt:1: ann: away \"x: the text in \" does not end");
        check("# only words", "day.txt: nothing happens");
    }

    #[test]
    fn everybody_is_found() {
        let script = Script::parse("x", "queue law: ann\nlaw -> carol: away\nbob/x: chat\nhttps law: away").unwrap();
        assert_eq!(script.people().into_iter().collect::<Vec<_>>(), ["ann", "bob", "carol"]);
    }
}
