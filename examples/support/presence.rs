//! What presences say.

use std::fmt;

use minidom::Element;

/// A presence that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The whole JID of the sender.
    pub(crate) from: String,
    /// `chat`, `available`, `dnd`, `away`, `xa` or `unavailable`.
    pub(crate) show: String,
    /// The status text.
    pub(crate) status: String,
}

impl Heard {
    /// What a presence says; `None` for what is no presence, or is about subscriptions.
    fn of(stanza: &Element) -> Option<Self> {
        if stanza.name() != "presence" {
            return None;
        }
        let text = |name| stanza.children().find(|child| child.name() == name).map(Element::text);
        let show = match stanza.attr("type") {
            None => text("show").unwrap_or_else(|| "available".to_owned()),
            Some("unavailable") => "unavailable".to_owned(),
            Some(_) => return None,
        };
        let from = stanza.attr("from").unwrap_or_default().to_owned();
        Some(Self { from, show, status: text("status").unwrap_or_default() })
    }

    /// The same, of presences from this bare JID only, or from anybody on this domain.
    pub(crate) fn from(stanza: &Element, from: &str) -> Option<Self> {
        let is_from = |jid: &str| jid == from || jid.rsplit('@').next() == Some(from);
        Self::of(stanza).filter(|heard| is_from(bare(&heard.from)))
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {:?}", self.from, self.show, self.status)
    }
}

/// A JID without its resource.
pub(crate) fn bare(jid: &str) -> &str {
    jid.split_once('/').map_or(jid, |(bare, _)| bare)
}

/// A text inside XML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&apos;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_presence_says() {
        let check = |text: &str, want: Option<&str>| {
            let stanza: Element = text.replacen(' ', " xmlns='jabber:client' ", 1).parse().unwrap();
            assert_eq!(Heard::of(&stanza).map(|heard| heard.to_string()).as_deref(), want, "{text}");
        };
        check("<presence from='a@b/c'/>", Some("a@b/c: available \"\""));
        check("<presence from='a@b'><show>dnd</show><status>not now</status></presence>", Some("a@b: dnd \"not now\""));
        check("<presence type='unavailable' from='a@b/c'/>", Some("a@b/c: unavailable \"\""));
        check("<presence type='subscribed' from='a@b'/>", None);
        check("<message from='a@b'/>", None);
    }

    #[test]
    fn whose_presences_are_looked_at() {
        let stanza: Element = "<presence xmlns='jabber:client' from='law@queues.b/x'/>".parse().unwrap();
        let check = |from: &str| Heard::from(&stanza, from).is_some();
        assert!(check("law@queues.b") && check("queues.b"));
        assert!(!check("law@queues") && !check("b") && !check("tax@queues.b"));
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(escape("a<b>&'\""), "a&lt;b&gt;&amp;&apos;&quot;");
    }
}
