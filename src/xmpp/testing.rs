//! A desk for tests, and somebody who asks it things.

#![cfg(test)]

use std::collections::BTreeSet;

use minidom::Element;
use tokio::time::Instant;
use xmpp_parsers::ns;

use super::{
    adhoc::{Answer, Sessions},
    decode::{Meaning, decode},
    iq,
    ours::Ours,
    parser::Parser,
};
use crate::{
    clock::Now,
    domain::{
        Account, AccountId, BareJid, Desk, Edit, Input, Name, Operator, Policy, Queue, QueueId, Record, Seen, Show,
        UnixTime, User, UserId, Who,
    },
};

/// Account acme with ann, who staffs law and tax, and bob, who staffs law; account east with eve, who staffs far. sue is an
/// admin of acme. All are on localhost.
pub(super) struct Rig {
    pub(super) desk: Desk,
    sessions: Sessions,
    ours: Ours,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(super) fn with(change: impl FnOnce(&mut Policy)) -> Self {
        let now = Instant::now();
        let mut policy = Policy::new("queues.localhost", "localhost", name("staffing"));
        change(&mut policy);
        let mut desk = Desk::restore(policy, records(), now.into_std()).unwrap();
        desk.apply(Input::LinkUp, now.into_std());
        Self { desk, sessions: Sessions::new(now), ours: Ours::example() }
    }

    /// By people's clock it is always the same: the 22nd of November 2026, at half past two.
    fn now() -> Now {
        Now { instant: Instant::now(), wall: UnixTime(1_795_314_600) }
    }

    /// ann, bob or eve is seen.
    pub(super) fn see(&mut self, user: &str, show: Show) {
        let seen = Seen { show, priority: 0, status: None, known_show: true };
        let input = Input::Seen { user: jid(user), resource: "x".into(), seen };
        self.desk.apply(input, Instant::now().into_std());
    }

    pub(super) fn edit(&mut self, edit: &Edit) {
        let plan = self.desk.plan(&Who::Daemon.into(), UnixTime(0), edit).unwrap();
        self.desk.commit(plan.change);
    }

    /// Makes this many more queues, `q0` and on, in acme.
    pub(super) fn more_queues(&mut self, count: usize) {
        self.more_queues_from(0, count);
    }

    pub(super) fn more_queues_from(&mut self, first: usize, count: usize) {
        for number in first..first + count {
            let (account, name) = (AccountId::new(1).unwrap(), name(&format!("q{number}")));
            self.edit(&Edit::CreateQueue { account, name, fields: crate::domain::QueueFields::default() });
        }
    }

    /// Makes this many more users, `u0` and on, in acme.
    pub(super) fn more_users(&mut self, count: usize) {
        for number in 0..count {
            let (account, name) = (AccountId::new(1).unwrap(), name(&format!("u{number}")));
            self.edit(&Edit::CreateUser { account, name, fields: crate::domain::UserFields::default() });
        }
    }

    /// The answer to a request; a change is made first.
    pub(super) fn ask(&mut self, from: &str, to: &str, kind: &str, payload: &str) -> Element {
        let stanza = format!("<iq from='{from}' to='{to}' id='7' type='{kind}'>{payload}</iq>");
        let stanza = Parser::default().parse(stanza.as_bytes()).unwrap();
        let Meaning::Request(request) = decode(&stanza, &self.ours) else { panic!("no request") };
        match iq::answer(request, &self.desk, &self.ours, &self.sessions, Self::now()) {
            Answer::Now(answer) => answer,
            Answer::Change(change) => {
                let plan = self.desk.plan(&Who::Daemon.into(), UnixTime(0), &change.edit);
                let result = plan.map(|plan| {
                    self.desk.commit(plan.change);
                    plan.outcome
                });
                change.answer(&result.map_err(Into::into))
            }
        }
    }

    /// The payload of the answer to a question about discovery, as a line of its parts.
    pub(super) fn discover(&mut self, from: &str, to: &str, what: &str, node: &str, more: &str) -> String {
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#{what}' node='{node}'>{more}</query>");
        let answer = self.ask(from, to, "get", &query);
        if answer.attr("type") == Some("error") {
            return error(&answer);
        }
        let query = answer.children().next().unwrap();
        let part = |part: &Element| match part.name() {
            "identity" => format!("{}/{} {}", of(part, "category"), of(part, "type"), of(part, "name")),
            "feature" => of(part, "var"),
            "item" => [of(part, "jid"), of(part, "node"), of(part, "name")].join(","),
            _ => {
                let sets = part.children().map(|child| format!("{}={}", child.name(), child.text()));
                format!("({})", sets.collect::<Vec<_>>().join(" "))
            }
        };
        query.children().map(part).collect::<Vec<_>>().join(" ")
    }
}

fn of(element: &Element, name: &str) -> String {
    element.attr(name).unwrap_or_default().to_owned()
}

/// An error, as its type, its conditions and its text.
pub(super) fn error(answer: &Element) -> String {
    let error = answer.get_child("error", ns::COMPONENT).expect("this is an error");
    let parts = error.children().map(|part| match part.name() {
        "text" => format!("{:?}", part.text()),
        name => name.to_owned(),
    });
    let parts: BTreeSet<_> = parts.collect();
    format!("error {} {}", of(error, "type"), parts.into_iter().collect::<Vec<_>>().join(" "))
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text, Name::QUEUE_MOST).unwrap()
}

pub(super) fn jid(name: &str) -> BareJid {
    BareJid::parse(&format!("{name}@localhost")).unwrap()
}

fn records() -> Vec<Record> {
    let account = |id| AccountId::new(id).unwrap();
    let (user, queue) = (|id| UserId::new(id).unwrap(), |id| QueueId::new(id).unwrap());
    let mut records = vec![Record::NextId(9)];
    for (id, text, admins) in [(1, "acme", BTreeSet::from([jid("sue")])), (6, "east", BTreeSet::new())] {
        records.push(Record::Account(Account::owned(account(id), name(text), "x".into()).with_admins(admins)));
    }
    for (id, of, text) in [(2, 1, "ann"), (3, 1, "bob"), (7, 6, "eve")] {
        let (id, account) = (user(id), account(of));
        records.push(Record::User(User { id, account, name: name(text), jid: jid(text), email: None }));
    }
    for (id, of, text) in [(4, 1, "law"), (5, 1, "tax"), (8, 6, "far")] {
        let (id, account, name) = (queue(id), account(of), name(text));
        records.push(Record::Queue(Queue { id, account, name, email: None, avatar: None, transcripts: false }));
    }
    for (at, who) in [(4, 2), (4, 3), (5, 2), (8, 7)] {
        records.push(Record::Operator(Operator { queue: queue(at), user: user(who), suspended: None }));
    }
    records
}
