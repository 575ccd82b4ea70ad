//! From a stanza to what it means for us. Nothing here fails: what can not be understood has a meaning too.

use jid::Jid;
use minidom::Element;
use xmpp_parsers::ns;

use super::{
    adhoc::{self, Wanted},
    iq::{Query, Request},
    ours::{Ours, Target},
    page::Page,
    parser::Parser,
    rival::is_echo,
};
use crate::domain::{BareJid, Grants, Input, Name, Seen, Show, WriteFailure};

/// The most bytes of a status text that are kept.
const STATUS_MOST: usize = 1_024;

/// What a stanza means for us.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    /// Something was seen.
    Input(Input),
    /// It can not be understood.
    Dropped {
        /// Who sent it, where that could be read.
        from: Option<BareJid>,
        /// Why, in a word.
        reason: &'static str,
    },
    /// Somebody wants to follow a queue, or no longer.
    Follow { queue: Name, jid: BareJid, follow: bool },
    /// What a queue told somebody came back, since they are gone for good.
    FollowerGone { queue: Name, jid: BareJid },
    /// Somebody asks for an answer.
    Request(Request),
    /// An answer to a request of ours.
    Answer(Answer),
    /// A message that looks for rivals has come: one of ours, or one of a rival's.
    Echo {
        /// Its id.
        id: String,
        /// The server, or somebody else, did not take it.
        is_error: bool,
    },
    /// Somebody wrote a message, which nobody reads.
    Message {
        /// Who.
        from: Jid,
        /// To which address of ours.
        to: Jid,
        /// Its id, where it has one.
        id: Option<String>,
    },
    /// The server ends the stream, and why (RFC 6120 section 4.9).
    StreamError(StreamError),
    /// It means nothing to us.
    Nothing,
}

/// An answer, a result or an error, to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// The id of the request.
    pub(super) id: String,
    from: Jid,
    /// The condition of the error, if it is one.
    pub(super) error: Option<String>,
}

impl Answer {
    /// What it means when it comes from a resource that was pinged (XEP-0199 section 4.2, RFC 6121 section 8.5.3.2.3).
    pub(super) fn of_resource(&self) -> Option<Input> {
        let (user, resource) = (bare(&self.from)?, self.from.resource()?.as_str().into());
        // The error is one that servers give for a resource that is gone.
        let doubted = self.error.as_deref().is_some_and(|condition| GONE.contains(&condition));
        Some(if doubted { Input::Doubted { user, resource } } else { Input::Alive { user, resource } })
    }

    /// What it means when it answers what was written into a user's roster, which is for their server to say and not for
    /// any client of theirs: the bare JID (RFC 6121 section 8.5.1).
    pub(super) fn of_roster(&self, ids: &str) -> Option<Input> {
        let contact = Name::parse(self.id.strip_prefix(ids)?, Name::QUEUE_MOST).ok()?;
        let user = bare(&self.from).filter(|_| self.from.resource().is_none())?;
        let result = if self.error.is_some() { Err(WriteFailure::Refused) } else { Ok(()) };
        Some(Input::Written { user, contact, result })
    }
}

/// The errors that servers give for a resource that is gone. A client that knows no pings may give the first one too.
const GONE: [&str; 5] = [
    "service-unavailable",
    "recipient-unavailable",
    "item-not-found",
    "remote-server-not-found",
    "remote-server-timeout",
];

/// Whether an error says that there is nobody at an address, and never will be (RFC 6120 section 8.3.3): `gone`, whose type
/// was `modify` in RFC 3920, or `item-not-found`. Not `remote-server-not-found`, though its type is `cancel` too: servers
/// give that whenever they can not find or reach another one, which may be back in a minute.
fn is_for_good(stanza: &Element) -> bool {
    let Some(error) = error_of(stanza) else { return false };
    match (error.attr("type"), condition_of(error)) {
        (Some("cancel" | "modify"), Some("gone")) | (Some("cancel"), Some("item-not-found")) => true,
        (_, _) => false,
    }
}

/// What a server says before it ends a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamError {
    /// One of RFC 6120 section 4.9.3.
    pub(super) condition: String,
    /// More of it, in words.
    pub(super) text: Option<String>,
}

/// What can be told of a stanza that was dropped, from its [head](super::gate::Gate::head).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Glimpse {
    /// Who sent it.
    pub(super) from: Option<BareJid>,
    /// What it says of its sender's presence, which goes on being true or untrue whether we can read the rest or not.
    pub(super) input: Option<Input>,
}

/// Looks at the head of a stanza that was dropped.
pub(super) fn glimpse(head: &[u8], parser: &mut Parser, ours: &Ours) -> Glimpse {
    let Ok(head) = parser.parse(head) else { return Glimpse::default() };
    let Some(Ok(from)) = head.attr("from").map(sender) else { return Glimpse::default() };
    let input = match decode(&head, ours) {
        Meaning::Input(Input::Seen { user, resource, .. }) => Some(Input::Unread { user, resource }),
        Meaning::Input(Input::Relayed { user, resource, seen: Some(_) }) => {
            Some(Input::UnreadRelayed { user, resource })
        }
        Meaning::Input(
            input @ (Input::Relayed { seen: None, .. }
            | Input::Gone { .. }
            | Input::Approved { .. }
            | Input::Refused { .. }),
        ) => Some(input),
        // Whoever wants something of us may say so in a stanza that can be read.
        Meaning::Input(_)
        | Meaning::Dropped { .. }
        | Meaning::Follow { .. }
        | Meaning::FollowerGone { .. }
        | Meaning::Request(_)
        | Meaning::Answer(_)
        | Meaning::Echo { .. }
        | Meaning::Message { .. }
        | Meaning::StreamError(_)
        | Meaning::Nothing => None,
    };
    Glimpse { from: bare(&from), input }
}

/// Who sent a stanza, as their server writes it; else why it is dropped. Of characters that are younger than the rules by
/// which addresses are prepared (RFC 3454 knows Unicode 3.2), some servers make nothing and we make others: who comes out as
/// somebody else than their server says speaks for nobody.
fn sender(text: &str) -> Result<Jid, &'static str> {
    let jid = Jid::new(text).map_err(|_| "bad-from")?;
    let written = text.split_once('/').map_or(text, |(bare, _)| bare);
    if jid.to_bare().as_str().eq_ignore_ascii_case(written) { Ok(jid) } else { Err("unstable-address") }
}

/// What a stanza means.
pub(super) fn decode(stanza: &Element, ours: &Ours) -> Meaning {
    if let Some(error) = stream_error(stanza) {
        return Meaning::StreamError(error);
    }
    let Some(from) = stanza.attr("from").filter(|_| is_of_stanza(stanza)) else { return Meaning::Nothing };
    let from = match sender(from) {
        Ok(from) => from,
        Err(reason) => return dropped(None, reason),
    };
    let Some(to) = stanza.attr("to").and_then(|to| Jid::new(to).ok()) else { return dropped(Some(&from), "bad-to") };
    match stanza.name() {
        "presence" if !ours.is_ours(&from) => presence(stanza, &from, &to, ours),
        "iq" => iq(stanza, from, to, ours),
        "message" => message(stanza, from, to, ours),
        // Presence of our own.
        _ => Meaning::Nothing,
    }
}

/// The stream error that an element is, if it is one.
pub(super) fn stream_error(element: &Element) -> Option<StreamError> {
    if !element.is("error", ns::STREAM) {
        return None;
    }
    let condition = element.children().find(|child| child.name() != "text" && child.has_ns(ns::XMPP_STREAMS));
    let text = element.get_child("text", ns::XMPP_STREAMS).map(Element::text);
    let condition = condition.map_or("undefined-condition", Element::name).to_owned();
    Some(StreamError { condition, text: text.filter(|text| !text.is_empty()) })
}

fn dropped(from: Option<&Jid>, reason: &'static str) -> Meaning {
    Meaning::Dropped { from: from.and_then(bare), reason }
}

/// The bare address of somebody on a server; servers and components are nobody.
pub(super) fn bare(jid: &Jid) -> Option<BareJid> {
    jid.node()?;
    let bare = jid.as_str().split('/').next()?;
    Some(BareJid::prepared(bare))
}

fn presence(stanza: &Element, from: &Jid, to: &Jid, ours: &Ours) -> Meaning {
    match ours.target(to) {
        Target::Watcher => bare(from).map_or(Meaning::Nothing, |user| watched(stanza, user, from)),
        Target::Queue(queue) => asked_of_queue(stanza, queue, BareJid::prepared(from.to_bare().as_str())),
        Target::Component => bare(from).map_or(Meaning::Nothing, |user| relayed(stanza, user, from)),
        Target::Nothing => Meaning::Nothing,
    }
}

/// Presence for the component itself, which is what a server sends that tells us of all its users (XEP-0356 section 7). Of
/// others it says nothing.
fn relayed(stanza: &Element, user: BareJid, from: &Jid) -> Meaning {
    let Some(resource) = from.resource().map(|resource| resource.as_str().into()) else { return Meaning::Nothing };
    let seen = match stanza.attr("type") {
        None => Some(seen(stanza)),
        Some("unavailable") => None,
        Some(_) => return Meaning::Nothing,
    };
    Meaning::Input(Input::Relayed { user, resource, seen })
}

/// Presence for the watcher (RFC 6121 sections 3 and 4).
fn watched(stanza: &Element, user: BareJid, from: &Jid) -> Meaning {
    let resource = from.resource().map(|resource| resource.as_str().into());
    let input = match (stanza.attr("type"), resource) {
        (None, Some(resource)) => Input::Seen { user, resource, seen: seen(stanza) },
        // An error is the answer to what we sent, and says that nobody is there (section 4.3.2).
        (Some("unavailable" | "error"), resource) => Input::Gone { user, resource },
        (Some("subscribed"), _) => Input::Approved { user },
        (Some("unsubscribed"), _) => Input::Refused { user },
        (Some("subscribe"), _) => Input::Knocked { from: user },
        // Nobody follows the watcher, and it publishes nothing. Available without a resource is nobody.
        (Some("unsubscribe" | "probe"), _) | (None, None) => return Meaning::Nothing,
        (Some(_), _) => return Meaning::Dropped { from: Some(user), reason: "unknown-presence-type" },
    };
    Meaning::Input(input)
}

/// Presence for a queue (RFC 6121 section 3), whose server we are. A server or a gateway may follow it too.
fn asked_of_queue(stanza: &Element, queue: Name, from: BareJid) -> Meaning {
    match stanza.attr("type") {
        // What is stored has to be the same when it is prepared again.
        Some("subscribe") => match BareJid::of_follower(from.as_str()) {
            Ok(jid) => Meaning::Follow { queue, jid, follow: true },
            Err(_) => Meaning::Dropped { from: None, reason: "unstable-address" },
        },
        Some("unsubscribe") => Meaning::Follow { queue, jid: from, follow: false },
        Some("probe") => Meaning::Input(Input::Probed { queue, from }),
        // Servers see to it that nobody speaks for somebody else.
        Some("error") if is_for_good(stanza) => Meaning::FollowerGone { queue, jid: from },
        // A queue follows nobody, so what others are is nothing to it.
        _ => Meaning::Nothing,
    }
}

/// What an available presence says, taken leniently: servers relay whatever clients send.
fn seen(stanza: &Element) -> Seen {
    let child = |name| stanza.children().find(|child| child.name() == name && is_of_stanza(child));
    let word = child("show").map(Element::text);
    let show = match word.as_deref().map(str::trim) {
        None => Some(Show::Available),
        Some("chat") => Some(Show::Chat),
        Some("dnd") => Some(Show::Dnd),
        Some("away") => Some(Show::Away),
        Some("xa") => Some(Show::Xa),
        Some(_) => None,
    };
    let priority = child("priority").and_then(|child| child.text().trim().parse().ok());
    // XML lets some control characters through (U+009B, say), which do harm in a terminal.
    let printable = |c: char| if c.is_control() && !c.is_whitespace() { '\u{fffd}' } else { c };
    let mut status: String = child("status").map(Element::text).unwrap_or_default().chars().map(printable).collect();
    status.truncate(status.floor_char_boundary(STATUS_MOST));
    Seen {
        show: show.unwrap_or(Show::Available),
        priority: priority.unwrap_or(0),
        status: (!status.is_empty()).then(|| status.into()),
        known_show: show.is_some(),
    }
}

/// Whether something is a stanza, or a part of one that RFC 6121 defines.
fn is_of_stanza(element: &Element) -> bool {
    element.has_ns(ns::COMPONENT) || element.has_ns(ns::JABBER_CLIENT)
}

/// Nobody here reads messages, so whoever wrote something to somebody is told (RFC 6121 section 8.5.2.1.1); never an error
/// for an error, nor for what is no text of a person.
fn message(stanza: &Element, from: Jid, to: Jid, ours: &Ours) -> Meaning {
    if let Some(id) = stanza.attr("id").filter(|id| ours.is_ours(&from) && is_echo(id)) {
        return Meaning::Echo { id: id.to_owned(), is_error: stanza.attr("type") == Some("error") };
    }
    if let Some(grants) = granted(stanza, &from, &to, ours) {
        return Meaning::Input(Input::Granted(grants));
    }
    let is_of_person = matches!(stanza.attr("type"), None | Some("chat" | "normal"));
    let has_text = stanza.children().any(|child| child.name() == "body" && is_of_stanza(child));
    if !(is_of_person && has_text) {
        return Meaning::Nothing;
    }
    Meaning::Message { from, to, id: stanza.attr("id").map(ToOwned::to_owned) }
}

/// The namespace of XEP-0356.
const PRIVILEGE: &str = "urn:xmpp:privilege:2";

/// What the users' server lets us do (XEP-0356 section 4.2): said by the server itself, to the component itself. From
/// anybody else this is a message like any other.
fn granted(stanza: &Element, from: &Jid, to: &Jid, ours: &Ours) -> Option<Grants> {
    let is_server = from.node().is_none() && from.resource().is_none() && from.domain().as_str() == &*ours.user_domain;
    let is_answer = stanza.attr("type") == Some("error");
    if !is_server || is_answer || ours.target(to) != Target::Component {
        return None;
    }
    let said = stanza.get_child("privilege", PRIVILEGE)?;
    let is_perm = |it: &&Element| it.is("perm", PRIVILEGE);
    let has = |access: &str, kinds: [&str; 2]| {
        let mut perms = said.children().filter(is_perm).filter(|it| it.attr("access") == Some(access));
        perms.any(|it| it.attr("type").is_some_and(|kind| kinds.contains(&kind)))
    };
    Some(Grants { roster: has("roster", ["set", "both"]), presence: has("presence", ["managed_entity", "roster"]) })
}

fn iq(stanza: &Element, from: Jid, to: Jid, ours: &Ours) -> Meaning {
    let Some(id) = stanza.attr("id").map(ToOwned::to_owned) else { return dropped(Some(&from), "iq-without-id") };
    let query = match stanza.attr("type") {
        Some("get") => stanza.children().next().map_or(Query::Other, asked),
        Some("set") => stanza.children().next().map_or(Query::Other, |payload| told_to(stanza, payload)),
        Some("result") => return Meaning::Answer(Answer { id, from, error: None }),
        Some("error") => {
            let error = error_of(stanza).and_then(condition_of).unwrap_or("undefined-condition").to_owned();
            return Meaning::Answer(Answer { id, from, error: Some(error) });
        }
        _ => return dropped(Some(&from), "unknown-iq-type"),
    };
    Meaning::Request(Request { target: ours.target(&to), from, to, id, query })
}

fn error_of(stanza: &Element) -> Option<&Element> {
    stanza.children().find(|child| child.name() == "error" && is_of_stanza(child))
}

fn condition_of(error: &Element) -> Option<&str> {
    error.children().find(|child| child.has_ns(ns::XMPP_STANZAS)).map(Element::name)
}

fn asked(payload: &Element) -> Query {
    let node = || payload.attr("node").filter(|node| !node.is_empty()).map(ToOwned::to_owned);
    if payload.is("query", ns::DISCO_INFO) {
        Query::DiscoInfo { node: node() }
    } else if payload.is("query", ns::DISCO_ITEMS) {
        Query::DiscoItems { node: node(), page: Page::read(payload) }
    } else if payload.is("ping", ns::PING) {
        Query::Ping
    } else if payload.is("query", ns::VERSION) {
        Query::Version
    } else if payload.is("vCard", ns::VCARD) {
        Query::Vcard
    } else {
        Query::Other
    }
}

fn told_to(stanza: &Element, payload: &Element) -> Query {
    if payload.is("command", adhoc::NS) {
        Query::Command(Box::new(Wanted::read(stanza, payload)))
    } else {
        Query::Other
    }
}

mod tests;
