//! Why a command was not run (XEP-0050 section 4.4).

use std::{borrow::Cow, collections::BTreeMap};

use minidom::Element;
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

use super::NS;

/// Why a command was not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::xmpp) enum Fault {
    /// Nobody knows this action.
    MalformedAction,
    /// The action is not one of those that this stage offered.
    BadAction,
    /// The language is not written as languages are. Every other is answered in English.
    BadLocale,
    /// The form is not there, or something in it is not good, and what.
    BadPayload(Cow<'static, str>),
    /// The session is not theirs, or there is none.
    BadSession,
    /// The session is over.
    Expired,
    /// They may not run it.
    Forbidden,
    /// There is no such command here.
    NoSuchCommand,
    /// Too many changes wait for the store.
    Busy,
    /// The change could not be kept.
    NotKept,
}

impl Fault {
    pub(super) fn missing(what: &str) -> Self {
        Self::BadPayload(format!("{what} is missing").into())
    }

    /// The error, as it is sent.
    pub(in crate::xmpp) fn error(&self) -> StanzaError {
        use DefinedCondition as Is;
        let modify = |specific| (ErrorType::Modify, Is::BadRequest, Some(specific));
        let (type_, defined_condition, specific) = match self {
            Self::MalformedAction => modify("malformed-action"),
            Self::BadAction => modify("bad-action"),
            Self::BadLocale => modify("bad-locale"),
            Self::BadPayload(_) => modify("bad-payload"),
            Self::BadSession => modify("bad-sessionid"),
            Self::Expired => (ErrorType::Cancel, Is::NotAllowed, Some("session-expired")),
            Self::Forbidden => (ErrorType::Cancel, Is::Forbidden, None),
            Self::NoSuchCommand => (ErrorType::Cancel, Is::ItemNotFound, None),
            Self::Busy => (ErrorType::Wait, Is::ResourceConstraint, None),
            Self::NotKept => (ErrorType::Wait, Is::InternalServerError, None),
        };
        let texts = self.text().map(|text| ("en".to_owned(), text.to_owned())).into_iter().collect::<BTreeMap<_, _>>();
        let other = specific.map(|name| Element::bare(name, NS));
        StanzaError { type_, by: None, defined_condition, texts, other }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::BadPayload(text) => Some(text),
            Self::BadAction => Some("this is not what can be done now"),
            Self::BadSession | Self::Expired => Some("this form is open for too long: begin anew"),
            Self::Forbidden => Some("you may not do this"),
            Self::Busy => Some("too much is to be stored at present, so nothing was changed: try again soon"),
            Self::NotKept => Some("nothing can be stored at present, so nothing was changed"),
            Self::MalformedAction | Self::BadLocale | Self::NoSuchCommand => None,
        }
    }
}
