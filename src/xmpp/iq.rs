//! Requests (RFC 6120 section 8.2.3): every one is answered, at least with an error.

use std::collections::BTreeMap;

use jid::Jid;
use minidom::Element;
use xmpp_parsers::{
    iq::Iq,
    message::{Id, Message, MessageType},
    stanza_error::{DefinedCondition, ErrorType, StanzaError},
};

use super::{disco, ours::Target, ping, version};
use crate::domain::Name;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Query {
    /// Who are you, and what can you do?
    DiscoInfo,
    /// What do you have?
    DiscoItems,
    /// One of these of a part of you, a node. Nothing of ours has any.
    DiscoNode,
    /// Are you there?
    Ping,
    /// What software are you?
    Version,
    /// Something that we do not know.
    Other,
}

/// A question that somebody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) from: Jid,
    pub(super) to: Jid,
    pub(super) id: String,
    pub(super) target: Target,
    pub(super) query: Query,
}

/// What is answered: the payload of a result, or an error.
pub(super) type Reply = Result<Option<Element>, DefinedCondition>;

/// The answer. `exists` says whether there is a queue of that name.
pub(super) fn answer(request: Request, exists: impl FnOnce(&Name) -> bool) -> Element {
    let Request { from, to, id, target, query } = request;
    let is_there = match &target {
        Target::Component | Target::Watcher => true,
        Target::Queue(name) => exists(name),
        Target::Nothing => false,
    };
    let reply = match query {
        Query::DiscoInfo if is_there => disco::info(&target),
        Query::DiscoItems if is_there => disco::items(),
        Query::DiscoInfo | Query::DiscoItems | Query::DiscoNode => Err(DefinedCondition::ItemNotFound),
        Query::Ping if is_there => ping::reply(),
        Query::Version if is_there => version::reply(),
        // To an address that is not there the same, so that nobody can tell (RFC 6120 section 8.3.3.19).
        Query::Ping | Query::Version | Query::Other => Err(DefinedCondition::ServiceUnavailable),
    };
    let iq = match reply {
        Ok(payload) => Iq::Result { from: None, to: None, id, payload },
        Err(condition) => Iq::Error { from: None, to: None, id, error: error(condition), payload: None },
    };
    iq.with_from(to).with_to(from).into()
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
    use super::*;
    use crate::xmpp::{decode, ours::Ours};

    /// The answer that somebody gets who asks where there is one queue, `law`.
    pub(crate) fn asked(to: &str, kind: &str, payload: &str) -> String {
        let stanza = format!("<iq from='ann@localhost/x' to='{to}' id='7' type='{kind}'>{payload}</iq>");
        let stanza = decode::parse(stanza.as_bytes()).unwrap();
        let decode::Meaning::Request(request) = decode::decode(&stanza, &Ours::example()) else { panic!("no request") };
        let answer = answer(request, |name| name.as_str() == "law");
        assert_eq!((answer.attr("to"), answer.attr("id")), (Some("ann@localhost/x"), Some("7")));
        assert_eq!(answer.attr("from"), Some(to));
        let payload = answer.children().next().map(|payload| {
            let inner = payload.children().next().map(|inner| format!(" {}", inner.name()));
            format!(" {}{}", payload.name(), inner.unwrap_or_default())
        });
        format!("{}{}", answer.attr("type").unwrap(), payload.unwrap_or_default())
    }

    #[test]
    fn every_request_is_answered() {
        let check = |to, kind, payload, expected| assert_eq!(asked(to, kind, payload), expected, "{to} {payload}");
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let items = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
        let ping = "<ping xmlns='urn:xmpp:ping'/>";
        let version = "<query xmlns='jabber:iq:version'/>";
        for to in ["queues.localhost", "staffing@queues.localhost", "law@queues.localhost"] {
            check(to, "get", info, "result query identity");
            check(to, "get", items, "result query");
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
        for to in ["tax@queues.localhost", "law@queues.localhost/x", "queues.localhost/x"] {
            check(to, "get", info, "error error item-not-found");
            check(to, "get", items, "error error item-not-found");
            check(to, "get", ping, "error error service-unavailable");
            check(to, "get", version, "error error service-unavailable");
        }
    }
}
