//! From what is to be said to bytes. Every stanza says whom it is from: a server ends a stream over one that does not.

use minidom::{
    Element,
    rxml::{NcName, writer},
};
use xmpp_parsers::ns;
use xso::{AsXml, Item};

use super::{disco, ours::Ours};
use crate::domain::{BareJid, Effect, Entry, Published, RosterWrite, Show};

/// The ids of our own requests on one link. No other link has them, and nobody can guess them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ids {
    /// Of the ping that follows a sweep.
    pub(super) mark: String,
    /// Of the pings to resources. Who answers is said by the answer.
    pub(super) ping: String,
    /// Of what is written into rosters: this, and the localpart of our JID that it is about.
    pub(super) roster: String,
    /// Of the ping after silence.
    pub(super) alive: String,
    /// Of the pings that look for rivals.
    pub(super) alone: String,
}

impl Ids {
    pub(super) fn new(chance: u64) -> Self {
        let id = |word| format!("{word}-{chance:016x}");
        let roster = id("roster") + "-";
        Self { mark: id("mark"), ping: id("ping"), roster, alive: id("alive"), alone: id("alone") }
    }
}

/// What an operator reads beside our request to see their presence (RFC 6121 section 3.1.1).
const WHY_ASK: &str = "May rosterd see whether you are available? The queues that you staff are open when you are.";

/// What somebody reads beside our refusal, where there is no place for them.
const WHY_FULL: &str = "This queue has as many followers as it may have.";

/// The stanza that does it.
pub(super) fn encode(effect: &Effect, ours: &Ours, ids: &Ids) -> Element {
    let watcher = || ours.at(&ours.watcher);
    match effect {
        Effect::Probe { user } => presence(&watcher(), user, Some("probe")),
        Effect::Ask { user } => {
            let mut stanza = presence(&watcher(), user, Some("subscribe"));
            stanza.append_child(text_element("status", WHY_ASK));
            stanza
        }
        Effect::Leave { user } => presence(&watcher(), user, Some("unsubscribe")),
        Effect::Ping { user, resource } => ping(watcher().as_str(), &format!("{user}/{resource}"), &ids.ping),
        Effect::Roster(write) => roster(write, ours, ids),
        Effect::Mark => ping_server(&ids.mark, ours),
        Effect::Approve { queue, to } => presence(&ours.at(queue), to, Some("subscribed")),
        Effect::Deny { from, to, full } => {
            let mut stanza = presence(&ours.at(from), to, Some("unsubscribed"));
            if *full {
                stanza.append_child(text_element("status", WHY_FULL));
            }
            stanza
        }
        Effect::Tell { queue, to, published } => tell(&ours.at(queue), to, *published),
    }
}

/// A ping to the users' server, which answers it, if only with an error.
pub(super) fn ping_server(id: &str, ours: &Ours) -> Element {
    ping(&ours.domain, &ours.user_domain, id)
}

/// A message from an address of ours to another one, both of which nothing else has. A headline is not answered, and not
/// kept for later (RFC 6121 section 5.2.2).
pub(super) fn echo(id: &str, ours: &Ours) -> Element {
    let mut message = element("message", ns::COMPONENT);
    let at = |word| format!("{id}.{word}@{}", ours.domain);
    for (name, value) in [("from", &*at("a")), ("to", &at("b")), ("id", id), ("type", "headline")] {
        set(&mut message, name, value);
    }
    message
}

/// What the watcher is named in rosters.
const WATCHER_NAME: &str = "rosterd";

/// A roster set in the name of the user (XEP-0356 section 5, RFC 6121 section 2.1.5).
fn roster(RosterWrite { user, contact, entry }: &RosterWrite, ours: &Ours, ids: &Ids) -> Element {
    let jid = ours.at(contact);
    let mut item = element("item", ns::ROSTER);
    set(&mut item, "jid", jid.as_str());
    let (subscription, name) = match entry {
        Entry::Watcher => ("from", Some(WATCHER_NAME)),
        Entry::Queue { .. } => ("to", Some(contact.as_str())),
        Entry::Absent => ("remove", None),
    };
    set(&mut item, "subscription", subscription);
    if let Some(name) = name {
        set(&mut item, "name", name);
    }
    if let Entry::Queue { group } = entry {
        let mut child = element("group", ns::ROSTER);
        child.append_text(&**group);
        item.append_child(child);
    }
    let mut query = element("query", ns::ROSTER);
    query.append_child(item);
    let mut iq = element("iq", ns::COMPONENT);
    let id = format!("{}{contact}", ids.roster);
    for (name, value) in [("from", &*ours.domain), ("to", user.as_str()), ("id", &id), ("type", "set")] {
        set(&mut iq, name, value);
    }
    iq.append_child(query);
    iq
}

/// XEP-0199 section 4.
fn ping(from: &str, to: &str, id: &str) -> Element {
    let mut iq = element("iq", ns::COMPONENT);
    for (name, value) in [("from", from), ("to", to), ("id", id), ("type", "get")] {
        set(&mut iq, name, value);
    }
    iq.append_child(element("ping", ns::PING));
    iq
}

/// The presence of a queue (RFC 6121 section 4.7).
fn tell(from: &BareJid, to: &BareJid, published: Published) -> Element {
    let mut stanza = presence(from, to, (published.show == Show::Unavailable).then_some("unavailable"));
    match published.show {
        Show::Available | Show::Unavailable => {}
        show @ (Show::Chat | Show::Dnd | Show::Away | Show::Xa) => {
            stanza.append_child(text_element("show", show.as_str()));
        }
    }
    stanza.append_child(text_element("status", &published.to_string()));
    if published.show != Show::Unavailable {
        stanza.append_child(disco::caps().into());
    }
    stanza
}

fn presence(from: &BareJid, to: &BareJid, kind: Option<&str>) -> Element {
    let mut stanza = element("presence", ns::COMPONENT);
    set(&mut stanza, "from", from.as_str());
    set(&mut stanza, "to", to.as_str());
    if let Some(kind) = kind {
        set(&mut stanza, "type", kind);
    }
    stanza
}

fn text_element(name: &str, text: &str) -> Element {
    let mut child = element(name, ns::COMPONENT);
    child.append_text(text);
    child
}

fn element(name: &str, namespace: &str) -> Element {
    Element::bare(name, namespace)
}

fn set(element: &mut Element, name: &'static str, value: &str) {
    let name = NcName::try_from(name).expect("attribute names of ours are names");
    element.attrs_mut().insert(minidom::rxml::Namespace::NONE, name, value.to_owned());
}

/// Writes stanzas as they stand within a component's stream: without declaring over and over what its header declares.
pub(super) struct Writer {
    encoder: writer::Encoder<writer::SimpleNamespaces>,
    bytes: Vec<u8>,
}

/// The end of our side of a stream.
pub(super) const FOOTER: &[u8] = b"</stream:stream>";

impl Writer {
    pub(super) fn new() -> Self {
        Self { encoder: within_stream(), bytes: Vec::new() }
    }

    /// Adds a stanza.
    ///
    /// # Errors
    /// When it holds what XML can not say. Nothing of it is added then.
    pub(super) fn put(&mut self, stanza: &Element) -> Result<(), xso::error::Error> {
        let before = self.bytes.len();
        let written = self.try_put(stanza);
        if written.is_err() {
            self.bytes.truncate(before);
            self.encoder = within_stream();
        }
        written
    }

    fn try_put(&mut self, stanza: &Element) -> Result<(), xso::error::Error> {
        for item in stanza.as_xml_iter()? {
            self.encoder.encode(item?.as_rxml_item(), &mut self.bytes)?;
        }
        Ok(())
    }

    /// Adds what is XML already.
    pub(super) fn put_raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What was added since it was last cleared.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }
}

/// An encoder that has opened the stream already.
fn within_stream() -> writer::Encoder<writer::SimpleNamespaces> {
    use writer::TrackNamespace;
    let mut encoder = writer::Encoder::new();
    let name = NcName::try_from("stream").expect("this is a name");
    let tracker: &mut writer::SimpleNamespaces = encoder.ns_tracker_mut();
    tracker.declare_fixed(Some(&name), ns::STREAM.into());
    tracker.declare_fixed(None, ns::COMPONENT.into());
    let mut unused = Vec::new();
    let head = [Item::ElementHeadStart(ns::STREAM.into(), std::borrow::Cow::Borrowed(&*name)), Item::ElementHeadEnd];
    for item in head {
        encoder.encode(item.as_rxml_item(), &mut unused).expect("this is the start of a stream header");
    }
    encoder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Name;

    fn bytes(effect: &Effect) -> String {
        let mut writer = Writer::new();
        writer.put(&encode(effect, &Ours::example(), &Ids::new(1))).unwrap();
        let first = String::from_utf8(writer.bytes().to_vec()).unwrap();
        writer.clear();
        writer.put(&encode(effect, &Ours::example(), &Ids::new(1))).unwrap();
        assert_eq!(first.as_bytes(), writer.bytes(), "the second time");
        first
    }

    #[test]
    fn effects_become_stanzas() {
        let user = || BareJid::parse("ann@localhost").unwrap();
        let law = || Name::parse("law", 60).unwrap();
        let check = |effect, expected: &str| assert_eq!(bytes(&effect), expected);
        let watcher = "from='staffing@queues.localhost'";
        check(
            Effect::Probe { user: user() },
            &format!("<presence {watcher} to='ann@localhost' type='probe'></presence>"),
        );
        check(
            Effect::Ask { user: user() },
            &format!("<presence {watcher} to='ann@localhost' type='subscribe'><status>{WHY_ASK}</status></presence>"),
        );
        check(
            Effect::Leave { user: user() },
            &format!("<presence {watcher} to='ann@localhost' type='unsubscribe'></presence>"),
        );
        check(
            Effect::Mark,
            "<iq from='queues.localhost' id='mark-0000000000000001' to='localhost' type='get'>\
             <ping xmlns='urn:xmpp:ping'></ping></iq>",
        );
        check(
            Effect::Ping { user: user(), resource: "the 'desk'".into() },
            &format!(
                "<iq {watcher} id='ping-0000000000000001' to='ann@localhost/the &#39;desk&#39;' type='get'>\
                 <ping xmlns='urn:xmpp:ping'></ping></iq>"
            ),
        );
        let roster = |contact: Name, entry| Effect::Roster(RosterWrite { user: user(), contact, entry });
        let iq = |contact: &str, item: &str| {
            format!(
                "<iq from='queues.localhost' id='roster-0000000000000001-{contact}' to='ann@localhost' type='set'>\
                 <query xmlns='jabber:iq:roster'><item jid='{contact}@queues.localhost' {item}</item></query></iq>"
            )
        };
        let from = iq("staffing", "name='rosterd' subscription='from'>");
        check(roster(Ours::example().watcher, Entry::Watcher), &from);
        let to = iq("law", "name='law' subscription='to'><group>Queues</group>");
        check(roster(law(), Entry::Queue { group: "Queues".into() }), &to);
        check(roster(law(), Entry::Absent), &iq("law", "subscription='remove'>"));
        let queue = "from='law@queues.localhost' to='ann@localhost'";
        check(
            Effect::Approve { queue: law(), to: user() },
            &format!("<presence {queue} type='subscribed'></presence>"),
        );
        let deny = |full| Effect::Deny { from: law(), to: user(), full };
        check(deny(false), &format!("<presence {queue} type='unsubscribed'></presence>"));
        let full = format!("<presence {queue} type='unsubscribed'><status>{WHY_FULL}</status></presence>");
        check(deny(true), &full);
        let published = |show| Published { show, ready: 1, enabled: 2, closed: false };
        let tell = |show| Effect::Tell { queue: law(), to: user(), published: published(show) };
        let status = "<status>1 of 2 operators takes work now</status>";
        let caps = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x-rosterd' \
                    ver='UlwqcOELh40iBafKRFp7stBdiOk='></c>";
        check(tell(Show::Available), &format!("<presence {queue}>{status}{caps}</presence>"));
        check(tell(Show::Chat), &format!("<presence {queue}><show>chat</show>{status}{caps}</presence>"));
        let closed = Effect::Tell { queue: law(), to: user(), published: Published::CLOSED };
        check(closed, &format!("<presence {queue} type='unavailable'><status>Closed</status></presence>"));
        check(tell(Show::Unavailable), &format!("<presence {queue} type='unavailable'>{status}</presence>"));
    }

    #[test]
    fn what_xml_can_not_say_is_left_out() {
        let mut writer = Writer::new();
        let good = ping_server("'<&>\"", &Ours::example());
        writer.put(&good).unwrap();
        let before = writer.bytes().len();
        assert!(writer.put(&ping_server("\u{1}", &Ours::example())).is_err());
        assert_eq!(writer.bytes().len(), before);
        writer.put(&good).unwrap();
        assert_eq!(writer.bytes().len(), 2 * before);
        let parsed = crate::xmpp::parser::Parser::default().parse(&writer.bytes()[before..]).unwrap();
        assert_eq!(parsed.attr("id"), Some("'<&>\""));
    }
}
