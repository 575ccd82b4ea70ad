//! What a request wants to set, whichever way that is written down.

mod multipart;
mod read;

use std::collections::BTreeMap;

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{Failure, number};

pub(super) use read::{in_query, read};

/// The fields of a request, by name. Where a name is given twice the last one counts. There may be a password among them.
#[derive(Clone, Default)]
pub(super) struct Fields(BTreeMap<String, Field>);

/// The value of a field.
#[derive(Clone)]
enum Field {
    Null,
    Bool(bool),
    Number(u64),
    /// A text in JSON.
    Text(String),
    /// What stands in a form or in the query, where everything is text, whatever it is meant as.
    Typed(String),
    /// A file that was uploaded. What is in it is not kept.
    File,
    /// Text that is no UTF-8.
    Unreadable,
    /// A number that is no count, a list, an object.
    Other,
}

/// What [`super::method`] has read. Methods without fields have none.
impl<S: Sync> FromRequestParts<S> for Fields {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parts.extensions.remove::<Result<Self, Failure>>().unwrap_or_else(|| Ok(Self::default()))
    }
}

impl Fields {
    /// A text; `None` when it is absent, null or empty.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Failure> {
        Ok(self.text_or_empty(name)?.filter(|text| !text.is_empty()))
    }

    /// A text of at most so many characters, on one line and none of them for control; `None` when it is absent, null or empty.
    pub(super) fn text_of(&self, name: &'static str, most: usize) -> Result<Option<&str>, Failure> {
        match self.text(name)? {
            Some(text) if text.chars().count() > most => {
                Err(Failure::refused(format!("{name} is longer than {most} characters")))
            }
            Some(text) if text.contains(char::is_control) => {
                Err(Failure::refused(format!("{name} contains a control character, such as the end of a line")))
            }
            text => Ok(text),
        }
    }

    /// A text that may be empty; `None` when it is absent or null.
    pub(super) fn text_or_empty(&self, name: &'static str) -> Result<Option<&str>, Failure> {
        match self.0.get(name) {
            None | Some(Field::Null) => Ok(None),
            Some(Field::Text(text) | Field::Typed(text)) => Ok(Some(text)),
            Some(Field::File) => Err(Failure::refused(format!("{name} must be a text, not a file"))),
            Some(Field::Unreadable) => Err(Failure::refused(format!("{name} is not in UTF-8"))),
            Some(Field::Bool(_) | Field::Number(_) | Field::Other) => {
                Err(Failure::refused(format!("{name} must be a text")))
            }
        }
    }

    /// A text that can be taken away: `Some(None)` when it is null or empty, `None` when it is absent.
    #[expect(clippy::option_option, reason = "left alone, taken away and set are three things, in the domain too")]
    pub(super) fn removable_text(&self, name: &'static str, most: usize) -> Result<Option<Option<Box<str>>>, Failure> {
        let text = self.text_of(name, most)?;
        Ok(self.0.contains_key(name).then(|| text.map(Into::into)))
    }

    /// A switch: true, or false or null; in a form `true` or `1`, or `false`, `0`, `null` or nothing. Anything else is as
    /// if it was not there.
    pub(super) fn switch(&self, name: &'static str) -> Option<bool> {
        match self.0.get(name)? {
            Field::Bool(value) => Some(*value),
            Field::Null => Some(false),
            Field::Typed(text) => match text.as_str() {
                "true" | "1" => Some(true),
                "false" | "0" | "null" | "" => Some(false),
                _ => None,
            },
            Field::Number(_) | Field::Text(_) | Field::File | Field::Unreadable | Field::Other => None,
        }
    }

    /// The number of a thing, as a number or as a text of digits; `None` when it is neither, or absent.
    pub(super) fn id(&self, name: &'static str) -> Option<u32> {
        match self.0.get(name)? {
            Field::Number(id) => u32::try_from(*id).ok(),
            Field::Text(text) | Field::Typed(text) => number(text),
            Field::Null | Field::Bool(_) | Field::File | Field::Unreadable | Field::Other => None,
        }
    }

    /// Refuses a request without this field.
    pub(super) fn need(&self, name: &'static str) -> Result<(), Failure> {
        match self.0.get(name) {
            None | Some(Field::Null) => Err(Failure::refused(format!("{name} is missing"))),
            Some(_) => Ok(()),
        }
    }

    /// Refuses a `type` other than the only one that there is.
    pub(super) fn check_type(&self, only: &'static str) -> Result<(), Failure> {
        match self.text("type")? {
            Some(other) if other != only => Err(Failure::refused(format!("type must be {only}"))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
