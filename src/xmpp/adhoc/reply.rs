//! What is answered to a command, as it is written (XEP-0050 section 4).

use minidom::Element;
use xso::AsXml;

use super::NS;

/// The `<command/>` of an answer.
#[derive(Debug, AsXml)]
#[xml(namespace = NS, name = "command")]
pub(super) struct Command {
    #[xml(attribute)]
    pub(super) node: String,
    #[xml(attribute)]
    pub(super) sessionid: Option<String>,
    #[xml(attribute)]
    pub(super) status: Option<String>,
    #[xml(lang)]
    pub(super) lang: Option<String>,
    #[xml(child)]
    pub(super) actions: Option<Actions>,
    #[xml(child)]
    pub(super) note: Option<Note>,
    #[xml(element(n = ..))]
    pub(super) payload: Vec<Element>,
}

/// What can be done next.
#[derive(Debug, AsXml)]
#[xml(namespace = NS, name = "actions")]
pub(super) struct Actions {
    #[xml(attribute)]
    pub(super) execute: String,
    #[xml(flag)]
    pub(super) prev: bool,
    #[xml(flag)]
    pub(super) next: bool,
    #[xml(flag)]
    pub(super) complete: bool,
}

/// A sentence for the person.
#[derive(Debug, AsXml)]
#[xml(namespace = NS, name = "note")]
pub(super) struct Note {
    #[xml(attribute = "type")]
    pub(super) kind: String,
    #[xml(text)]
    pub(super) text: String,
}

/// What a stage offers, and which of it is meant by `execute`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// The only stage.
    Complete,
    /// The first of two.
    Next,
    /// The second of two.
    PrevComplete,
}

impl Offer {
    pub(super) fn actions(self) -> Actions {
        let (execute, prev, next, complete) = match self {
            Self::Complete => ("complete", false, false, true),
            Self::Next => ("next", false, true, false),
            Self::PrevComplete => ("complete", true, false, true),
        };
        Actions { execute: execute.to_owned(), prev, next, complete }
    }
}
