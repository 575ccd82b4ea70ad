//! The link to the XMPP server: how often it was made and lost, and what goes over it.

use prometheus::{IntCounter, Registry};

use super::family::Family;

const CONNECTS: Family =
    Family::counter("rosterd_link_connects_total", "Links to the XMPP server that were made.", &[]);
const FAILURES: Family = Family::counter(
    "rosterd_link_failures_total",
    "Links to the XMPP server that were lost or could not be made, by cause.",
    &["cause"],
);
const RECEIVED: Family =
    Family::counter("rosterd_stanzas_received_total", "Stanzas that came from the XMPP server, by kind.", &["kind"]);
const SENT: Family =
    Family::counter("rosterd_stanzas_sent_total", "Stanzas that went to the XMPP server, by kind.", &["kind"]);

pub(super) const FAMILIES: [Family; 4] = [CONNECTS, FAILURES, RECEIVED, SENT];

/// What a stanza is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stanza {
    /// `<presence/>`
    Presence,
    /// `<message/>`
    Message,
    /// `<iq/>`
    Iq,
    /// Something else, or so large that it was passed over.
    Other,
}

impl Stanza {
    const NAMES: [&'static str; 4] = ["presence", "message", "iq", "other"];

    /// What an element of this name is.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "presence" => Self::Presence,
            "message" => Self::Message,
            "iq" => Self::Iq,
            _ => Self::Other,
        }
    }

    /// What an element is that is written so.
    #[must_use]
    pub fn written(bytes: &[u8]) -> Self {
        let name = bytes.strip_prefix(b"<").unwrap_or_default();
        let starts = |word: &str| {
            let rest = name.strip_prefix(word.as_bytes());
            rest.is_some_and(|rest| rest.first().is_none_or(|next| next.is_ascii_whitespace() || b"/>".contains(next)))
        };
        let found = Self::NAMES[..3].iter().find(|word| starts(word));
        found.map_or(Self::Other, |word| Self::named(word))
    }
}

/// Why there is no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The server's address can not be found.
    Lookup,
    /// Nobody answers there.
    Connect,
    /// The handshake took too long, or made no sense.
    Handshake,
    /// The server refused us.
    Refused,
    /// The server ended the stream, or closed it.
    Ended,
    /// The connection was lost.
    Cut,
    /// The server does not answer, or takes nothing.
    Silent,
    /// Somebody else serves our domain too.
    Rival,
    /// The stream makes no sense.
    Broken,
}

impl Cause {
    const NAMES: [&'static str; 9] =
        ["lookup", "connect", "handshake", "refused", "ended", "cut", "silent", "rival", "broken"];
}

/// What is counted of the link.
#[derive(Debug)]
pub struct Link {
    connects: IntCounter,
    failures: [IntCounter; Cause::NAMES.len()],
    received: [IntCounter; Stanza::NAMES.len()],
    sent: [IntCounter; Stanza::NAMES.len()],
}

impl Link {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            connects: CONNECTS.count(registry),
            failures: FAILURES.count_each(registry, Cause::NAMES),
            received: RECEIVED.count_each(registry, Stanza::NAMES),
            sent: SENT.count_each(registry, Stanza::NAMES),
        }
    }

    /// A link was made.
    pub fn connected(&self) {
        self.connects.inc();
    }

    /// One was lost, or could not be made.
    pub fn failed(&self, cause: Cause) {
        self.failures[cause as usize].inc();
    }

    /// A stanza came.
    pub fn received(&self, stanza: Stanza) {
        self.received[stanza as usize].inc();
    }

    /// A stanza is on its way.
    pub fn sent(&self, stanza: Stanza) {
        self.sent[stanza as usize].inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_stanzas() {
        let check = |text: &str, expected: Stanza| assert_eq!(Stanza::written(text.as_bytes()), expected, "{text}");
        check("<presence from='a@b'/>", Stanza::Presence);
        check("<presence/>", Stanza::Presence);
        check("<presence>", Stanza::Presence);
        check("<message\nid='1'>", Stanza::Message);
        check("<iq type='get'>", Stanza::Iq);
        check("<iqs/>", Stanza::Other);
        check("<x:iq xmlns:x='y'/>", Stanza::Other);
        check("<other/>", Stanza::Other);
        check("", Stanza::Other);
        for (at, stanza) in [Stanza::Presence, Stanza::Message, Stanza::Iq, Stanza::Other].into_iter().enumerate() {
            assert_eq!(Stanza::named(Stanza::NAMES[at]) as usize, at);
            assert_eq!(stanza as usize, at);
        }
        assert_eq!(Cause::NAMES[Cause::Broken as usize], "broken", "there is a name for the last");
        assert_eq!(Cause::NAMES[Cause::Silent as usize], "silent");
    }
}
