//! What a request wants to set: the one place where bodies are read.

use std::collections::BTreeMap;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
};
use serde_json::Value;

use super::{Failure, number};

/// The fields of a request, by name. Where a name is given twice the last one counts. There may be a password among them.
#[derive(Default)]
pub(super) struct Fields(BTreeMap<String, Field>);

/// The value of a field.
enum Field {
    Null,
    Bool(bool),
    Number(u64),
    Text(String),
    /// A number that is no count, a list, an object.
    Other,
}

impl From<Value> for Field {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(value) => value.as_u64().map_or(Self::Other, Self::Number),
            Value::String(text) => Self::Text(text),
            Value::Array(_) | Value::Object(_) => Self::Other,
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let body = Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
            _ => Failure::new(StatusCode::BAD_REQUEST, "the body broke off"),
        })?;
        Self::from_json(&body)
    }
}

impl Fields {
    fn from_json(body: &[u8]) -> Result<Self, Failure> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let malformed = |what: String| Failure::new(StatusCode::BAD_REQUEST, what);
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields.into_iter().map(|(name, it)| (name, it.into())).collect())),
            Ok(_) => Err(malformed("the body must be a JSON object".to_owned())),
            Err(error) => Err(malformed(format!("the body is not JSON: {error}"))),
        }
    }

    /// A text; `None` when it is absent, null or empty.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Failure> {
        match self.0.get(name) {
            None | Some(Field::Null) => Ok(None),
            Some(Field::Text(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(Field::Bool(_) | Field::Number(_) | Field::Other) => {
                Err(Failure::refused(format!("{name} must be a text")))
            }
        }
    }

    /// A text that can be taken away: `Some(None)` when it is null or empty, `None` when it is absent.
    #[expect(clippy::option_option, reason = "left alone, taken away and set are three things, in the domain too")]
    pub(super) fn removable_text(&self, name: &'static str, most: usize) -> Result<Option<Option<Box<str>>>, Failure> {
        let text = self.text(name)?;
        if text.is_some_and(|text| text.chars().count() > most) {
            return Err(Failure::refused(format!("{name} is longer than {most} characters")));
        }
        Ok(self.0.contains_key(name).then(|| text.map(Into::into)))
    }

    /// A switch: true, or false or null. Anything else is as if it was not there.
    pub(super) fn switch(&self, name: &'static str) -> Option<bool> {
        match self.0.get(name)? {
            Field::Bool(value) => Some(*value),
            Field::Null => Some(false),
            Field::Number(_) | Field::Text(_) | Field::Other => None,
        }
    }

    /// The number of a thing, as a number or as a text of digits; `None` when it is neither, or absent.
    pub(super) fn id(&self, name: &'static str) -> Option<u32> {
        match self.0.get(name)? {
            Field::Number(id) => u32::try_from(*id).ok(),
            Field::Text(text) => number(text),
            Field::Null | Field::Bool(_) | Field::Other => None,
        }
    }

    /// Refuses a `type` other than the only one that there is.
    pub(super) fn check_type(&self, only: &'static str) -> Result<(), Failure> {
        match self.text("type")? {
            Some(other) if other != only => Err(Failure::refused(format!("type must be {only}, not {other:?}"))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Fields {
        Fields::from_json(body.as_bytes()).unwrap()
    }

    #[test]
    fn switches() {
        let check = |value: &str| fields(&format!("{{\"enabled\": {value}}}")).switch("enabled");
        assert_eq!(check("true"), Some(true));
        assert_eq!(check("false"), Some(false));
        assert_eq!(check("null"), Some(false));
        for illegal in ["1", "0", "\"true\"", "\"\"", "\"maybe\"", "[]", "{}", "1.5", "-1"] {
            assert_eq!(check(illegal), None, "{illegal}");
        }
        assert_eq!(fields("{}").switch("enabled"), None);
    }

    #[test]
    fn ids() {
        let check = |value: &str| fields(&format!("{{\"userId\": {value}}}")).id("userId");
        assert_eq!(check("7"), Some(7));
        assert_eq!(check("\"7\""), Some(7));
        for bad in ["-7", "7.5", "4294967296", "\"+7\"", "\"7 \"", "\"\"", "true", "null", "[7]"] {
            assert_eq!(check(bad), None, "{bad}");
        }
    }

    #[test]
    fn texts() {
        let fields = fields(r#"{"name": "law", "email": null, "avatar": "", "type": 7}"#);
        assert_eq!(fields.text("name").unwrap(), Some("law"));
        assert_eq!(fields.removable_text("email", 9).unwrap(), Some(None));
        assert_eq!(fields.removable_text("avatar", 9).unwrap(), Some(None));
        assert_eq!(fields.removable_text("jid", 9).unwrap(), None);
        assert_eq!(fields.removable_text("name", 3).unwrap(), Some(Some("law".into())));
        assert!(fields.removable_text("name", 2).is_err());
        assert!(fields.text("type").is_err());
    }

    #[test]
    fn bodies() {
        assert!(fields("").0.is_empty());
        assert!(fields(" \n").0.is_empty());
        for malformed in ["{", "[]", "7", "name=law", "\u{feff}{}"] {
            assert!(Fields::from_json(malformed.as_bytes()).is_err(), "{malformed}");
        }
        assert!(Fields::from_json(b"\xff").is_err());
    }
}
