//! What the bytes of a stream mean, and what we say as bytes: all of a link that needs no connection.

use minidom::Element;

pub use super::{
    adhoc::{Answer, Pending, Sessions},
    iq::Request,
};
use super::{
    decode::{self, Meaning, StreamError, decode, glimpse},
    encode::{self, Ids, Writer},
    gate::{Gate, Piece},
    iq,
    ours::Ours,
    parser::Parser,
};
use crate::{
    clock::Now,
    domain::{BareJid, Desk, Effect, Input, Name},
    engine::Fact,
};

/// What is to be done about a piece of the server's stream.
#[derive(Debug)]
pub enum Reading {
    /// The engine is to be told.
    Tell(Fact),
    /// Somebody asks for something: [`Wire::answer`].
    Asked(Box<Request>),
    /// Somebody is to be answered.
    Answer {
        /// Who, without the resource: for the log.
        to: String,
        /// What.
        reply: Element,
    },
    /// It can not be read. It is passed over alone.
    Dropped {
        /// Who sent it, where that could be read.
        from: Option<BareJid>,
        /// Why, in a word.
        reason: &'static str,
        /// What its first tag alone says of its sender's presence: the engine is to be told.
        glimpsed: Option<Input>,
    },
    /// A message that looks for rivals has come: one of ours, or one of a rival's.
    Echo {
        /// Its id.
        id: String,
        /// It was not taken.
        is_error: bool,
    },
    /// A server did not write what it was to write into a roster: the engine is to be told.
    NotWritten {
        /// What it is told.
        input: Input,
        /// The error's condition (RFC 6120 section 8.3.3).
        condition: String,
    },
    /// The server has worked off what was sent before the ping that asks so.
    Worked,
    /// The server ends the stream, and why, in words.
    Ended(String),
    /// The server closes the stream.
    Closed,
    /// Nothing.
    Nothing,
}

/// One link's way of reading and writing. It holds nothing that reading changes, and a parser nothing that it reads, so no
/// stanza has anything to do with another one.
#[derive(Debug)]
pub struct Wire {
    ours: Ours,
    ids: Ids,
}

impl Wire {
    /// For a link with these addresses. `chance` is in the ids of its requests: who does not know it can not answer them.
    #[must_use]
    pub fn new(domain: &str, user_domain: &str, watcher: Name, chance: u64) -> Self {
        let ours = Ours { domain: domain.into(), user_domain: user_domain.into(), watcher };
        Self { ours, ids: Ids::new(chance) }
    }

    /// Reads the piece that was just taken from the gate.
    pub fn read(&self, parser: &mut Parser, gate: &Gate, piece: Piece) -> Reading {
        match piece {
            Piece::Stanza => match parser.parse(gate.bytes()) {
                Ok(stanza) => self.reading(decode(&stanza, &self.ours)),
                Err(_) => self.dropped(parser, gate, "not-well-formed"),
            },
            Piece::Dropped(reason) => self.dropped(parser, gate, reason),
            Piece::Footer => Reading::Closed,
            // There is one header to a stream, and the handshake took it.
            Piece::Header => Reading::Nothing,
        }
    }

    fn dropped(&self, parser: &mut Parser, gate: &Gate, reason: &'static str) -> Reading {
        let glimpse = gate.head().map(|head| glimpse(&head, parser, &self.ours)).unwrap_or_default();
        Reading::Dropped { from: glimpse.from, reason, glimpsed: glimpse.input }
    }

    fn reading(&self, meaning: Meaning) -> Reading {
        match meaning {
            Meaning::Input(input) => Reading::Tell(Fact::Input(input)),
            Meaning::Dropped { from, reason } => Reading::Dropped { from, reason, glimpsed: None },
            Meaning::Follow { queue, jid, follow } => Reading::Tell(Fact::Follow { queue, jid, follow }),
            Meaning::FollowerGone { queue, jid } => Reading::Tell(Fact::FollowerGone { queue, jid }),
            Meaning::Request(request) => Reading::Asked(Box::new(request)),
            Meaning::Message { from, to, id } => {
                Reading::Answer { to: from.to_bare().to_string(), reply: iq::message_error(from, to, id) }
            }
            Meaning::Answer(answer) if answer.id == self.ids.mark => Reading::Tell(Fact::Input(Input::SweepAnswered)),
            Meaning::Answer(answer) if answer.id == self.ids.ping => match answer.of_resource() {
                Some(input) => Reading::Tell(Fact::Input(input)),
                None => Reading::Nothing,
            },
            Meaning::Answer(answer) if answer.id == self.ids.alone => Reading::Worked,
            Meaning::Echo { id, is_error } => Reading::Echo { id, is_error },
            Meaning::Answer(answer) => self.written(answer),
            Meaning::Nothing => Reading::Nothing,
            Meaning::StreamError(error) => Reading::Ended(words(&error)),
        }
    }

    /// The answer to what somebody asks for, or what has to be stored before there is one.
    #[must_use]
    pub fn answer(&self, request: Request, desk: &Desk, sessions: &Sessions, now: Now) -> Answer {
        iq::answer(request, desk, &self.ours, sessions, now)
    }

    /// What the answer to a roster's writing is; of others nothing is known.
    fn written(&self, answer: decode::Answer) -> Reading {
        match (answer.of_roster(&self.ids.roster), answer.error) {
            (Some(input), Some(condition)) => Reading::NotWritten { input, condition },
            (Some(input), None) => Reading::Tell(Fact::Input(input)),
            (None, _) => Reading::Nothing,
        }
    }

    /// The stanza that does what the engine wants.
    #[must_use]
    pub fn stanza(&self, effect: &Effect) -> Element {
        encode::encode(effect, &self.ours, &self.ids)
    }

    /// A message to ourselves.
    pub(super) fn echo(&self, id: &str) -> Element {
        encode::echo(id, &self.ours)
    }

    /// A ping that is answered once the server has worked off what was sent before: [`Reading::Worked`].
    pub(super) fn has_worked(&self) -> Element {
        encode::ping_server(&self.ids.alone, &self.ours)
    }

    /// A ping that asks the server whether it is there.
    pub(super) fn alive(&self) -> Element {
        encode::ping_server(&self.ids.alive, &self.ours)
    }
}

/// The bytes of a stanza of ours within a component's stream, as the link writes them.
///
/// # Errors
/// When it holds what XML can not say.
pub fn bytes(stanza: &Element) -> Result<Vec<u8>, xso::error::Error> {
    let mut writer = Writer::new();
    writer.put(stanza)?;
    Ok(writer.bytes().to_vec())
}

fn words(error: &StreamError) -> String {
    let StreamError { condition, text } = error;
    text.as_ref().map_or_else(|| condition.clone(), |text| format!("{condition}: {text:?}"))
}
