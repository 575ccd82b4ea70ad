//! Requests that people, clients and servers send to us, and answers: every one is answered, at least with an error.

use std::collections::BTreeMap;

use jid::Jid;
use minidom::Element;
use xmpp_parsers::{
    iq::Iq,
    message::{Id, Message, MessageType},
    stanza_error::{DefinedCondition, ErrorType, StanzaError},
};

use super::{
    adhoc::{self, Answer, Sessions, Wanted},
    decode::bare,
    disco,
    ours::{Ours, Target},
    page::Page,
    ping,
    place::Place,
    vcard, version,
};
use crate::{clock::Now, domain::Desk};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Query {
    /// Who are you, or is a node of you, and what can you do?
    DiscoInfo { node: Option<String> },
    /// What do you have, or does a node of you?
    DiscoItems { node: Option<String>, page: Page },
    /// Are you there?
    Ping,
    /// What software are you?
    Version,
    /// What is known of you?
    Vcard,
    /// Do this.
    Command(Box<Wanted>),
    /// Something that we do not know.
    Other,
}

/// A question that somebody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(super) from: Jid,
    pub(super) to: Jid,
    pub(super) id: String,
    pub(super) target: Target,
    pub(super) query: Query,
}

impl Request {
    /// Who asks, without the resource.
    #[must_use]
    pub fn from(&self) -> jid::BareJid {
        self.from.to_bare()
    }
}

/// What is answered: the payload of a result, or an error.
pub(super) type Reply = Result<Option<Element>, DefinedCondition>;

/// The answer, or the change that has to be stored before there is one.
pub(super) fn answer(request: Request, desk: &Desk, ours: &Ours, sessions: &Sessions, now: Now) -> Answer {
    let Request { from, to, id, target, query } = request;
    let domain = from.domain().to_owned();
    let asker = desk.asker(bare(&from), domain.as_str());
    let place = Place::find(desk, &asker, &target);
    let reply = match (query, place) {
        (Query::DiscoInfo { node }, Some(place)) => disco::info(&place, node.as_deref(), &asker),
        (Query::DiscoItems { node, page }, Some(place)) => {
            disco::items(&place, (&to, ours), node.as_deref(), &page, &asker)
        }
        (Query::Ping, Some(_)) => ping::reply(),
        (Query::Version, Some(_)) => version::reply(),
        (Query::Vcard, Some(place)) => vcard::reply(&place, ours),
        (Query::Command(wanted), Some(place @ (Place::Component | Place::Queue(_)))) => {
            return adhoc::answer(*wanted, (from, to, id), place, (desk, &asker), (sessions, now));
        }
        (Query::DiscoInfo { .. } | Query::DiscoItems { .. }, None) => Err(DefinedCondition::ItemNotFound),
        // To an address that is not there the same, so that nobody can tell (RFC 6120 section 8.3.3.19).
        (Query::Ping | Query::Version | Query::Vcard, None) | (Query::Command(_) | Query::Other, _) => {
            Err(DefinedCondition::ServiceUnavailable)
        }
    };
    let iq = match reply {
        Ok(payload) => Iq::Result { from: None, to: None, id, payload },
        Err(condition) => Iq::Error { from: None, to: None, id, error: error(condition), payload: None },
    };
    Answer::Now(iq.with_from(to).with_to(from).into())
}

/// What somebody is told who wrote a message to an address of ours.
pub(super) fn message_error(from: Jid, to: Jid, id: Option<String>) -> Element {
    let mut message = Message::new(Some(from));
    message.from = Some(to);
    message.id = id.map(Id);
    message.type_ = MessageType::Error;
    message.with_payload(error(DefinedCondition::ServiceUnavailable)).into()
}

fn error(defined_condition: DefinedCondition) -> StanzaError {
    StanzaError { type_: ErrorType::Cancel, by: None, defined_condition, texts: BTreeMap::default(), other: None }
}

#[cfg(test)]
mod tests {
    use crate::{domain::WhoMayFollow, xmpp::testing::Rig};

    /// The answer that somebody gets who asks.
    fn asked(rig: &mut Rig, to: &str, kind: &str, payload: &str) -> String {
        let answer = rig.ask("ann@localhost/x", to, kind, payload);
        assert_eq!((answer.attr("to"), answer.attr("id")), (Some("ann@localhost/x"), Some("7")));
        assert_eq!(answer.attr("from"), Some(to));
        let payload = answer.children().next().map(|payload| {
            let inner = payload.children().next().map(|inner| format!(" {}", inner.name()));
            format!(" {}{}", payload.name(), inner.unwrap_or_default())
        });
        format!("{}{}", answer.attr("type").unwrap(), payload.unwrap_or_default())
    }

    #[tokio::test]
    async fn every_request_is_answered() {
        // She staffs law and not far.
        let mut rig = Rig::with(|policy| policy.who_may_follow = WhoMayFollow::Operators);
        let mut check =
            |to, kind, payload, expected| assert_eq!(asked(&mut rig, to, kind, payload), expected, "{to} {payload}");
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let items = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
        let ping = "<ping xmlns='urn:xmpp:ping'/>";
        let version = "<query xmlns='jabber:iq:version'/>";
        for to in ["queues.localhost", "staffing@queues.localhost", "law@queues.localhost"] {
            check(to, "get", info, "result query identity");
            check(to, "get", items, if to.contains('@') { "result query" } else { "result query item" });
            check(to, "get", ping, "result");
            check(to, "get", version, "result query name");
            check(to, "set", ping, "error error service-unavailable");
            check(to, "get", "<x xmlns='y'/>", "error error service-unavailable");
            check(to, "set", "", "error error service-unavailable");
            check(
                to,
                "get",
                "<query xmlns='http://jabber.org/protocol/disco#info' node='n'/>",
                "error error item-not-found",
            );
        }
        for to in ["far@queues.localhost", "nothing@queues.localhost", "law@queues.localhost/x", "queues.localhost/x"] {
            check(to, "get", info, "error error item-not-found");
            check(to, "get", items, "error error item-not-found");
            check(to, "get", ping, "error error service-unavailable");
            check(to, "get", version, "error error service-unavailable");
        }
    }
}
