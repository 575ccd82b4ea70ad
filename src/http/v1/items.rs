//! What is sent of operators: every part that is wrong is named, at its place.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    Site,
    problem::{ItemError, Kind, Problem},
};
use crate::{
    clock,
    domain::{Cause, Suspension, SuspensionFields, UnixTime, UserId, Version},
};

/// What a user is to be on a queue.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WantedOperator)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is read by the description only: bodies are read part by part")]
pub(super) struct WantedOperator {
    /// The user's number.
    #[schema(minimum = 1)]
    user: u32,
    /// False suspends.
    enabled: bool,
    /// Why, for who is suspended: one line, without control characters.
    #[schema(min_length = 1, max_length = 200)]
    reason: Option<String>,
    /// Until when, for who is suspended: a moment to come (RFC 3339), at which rosterd enables them.
    #[schema(format = DateTime)]
    until: Option<String>,
}

/// What is to change of an operator; what is not named stays, but who is suspended anew and names no end has none.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OperatorChange)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is read by the description only: bodies are read part by part")]
pub(super) struct OperatorChange {
    /// True enables, false suspends.
    #[schema(nullable = false)]
    enabled: Option<bool>,
    /// Why they are suspended; null for no reason.
    #[schema(min_length = 1, max_length = 200)]
    reason: Option<String>,
    /// Until when they are suspended, a moment to come (RFC 3339); null for no end.
    #[schema(format = DateTime)]
    until: Option<String>,
}

/// What is to change of one of several operators.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NamedOperatorChange)]
#[expect(dead_code, reason = "it is read by the description only: bodies are read part by part")]
pub(super) struct NamedOperatorChange {
    /// The user's number.
    #[schema(minimum = 1)]
    user: u32,
    #[serde(flatten)]
    change: OperatorChange,
}

/// A body in JSON, whatever it is.
pub(super) struct Body(Value);

impl FromRequest<Site> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, site: &Site) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, site).await.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Kind::TooLarge, "the body is too large"),
            _ => Problem::bad("the body broke off"),
        })?;
        let value = serde_json::from_slice(&body);
        value.map(Self).map_err(|error| Problem::bad(format!("the body is not JSON: {error}")))
    }
}

/// What is read of one part; `Some(None)` takes away.
#[expect(clippy::option_option, reason = "left alone, taken away and set are three things, in the domain too")]
#[derive(Debug, Default)]
struct Row {
    user: Option<UserId>,
    enabled: Option<bool>,
    cause: Option<Option<Cause>>,
    until: Option<Option<UnixTime>>,
}

/// Reads the parts of a body, and keeps what is wrong with them.
struct Reader {
    now: UnixTime,
    errors: Vec<ItemError>,
}

impl Body {
    /// All that the operators are to be.
    pub(super) fn wanted(self, now: UnixTime) -> Result<Vec<(UserId, Option<Suspension>)>, Problem> {
        self.list(now, |reader, at, row| {
            let (user, enabled) = (reader.user(at, &row)?, row.enabled);
            let Some(enabled) = enabled else {
                reader.wrong(at, "/enabled", "is missing");
                return None;
            };
            let suspension = || Suspension { cause: row.cause.flatten(), until: row.until.flatten() };
            Some((user, (!enabled).then(suspension)))
        })
    }

    /// What is to change of several operators.
    pub(super) fn changes(self, now: UnixTime) -> Result<Vec<(UserId, Option<bool>, SuspensionFields)>, Problem> {
        self.list(now, |reader, at, row| Some((reader.user(at, &row)?, row.enabled, row.fields())))
    }

    /// What is to change of one operator.
    pub(super) fn change(self, now: UnixTime) -> Result<(Option<bool>, SuspensionFields), Problem> {
        let mut reader = Reader { now, errors: Vec::new() };
        let row = reader.row("", self.0, false);
        match row {
            Some(row) if reader.errors.is_empty() => Ok((row.enabled, row.fields())),
            Some(_) | None => Err(Problem::of_items(Kind::InvalidItems, reader.errors)),
        }
    }

    fn list<T>(
        self,
        now: UnixTime,
        mut read: impl FnMut(&mut Reader, &str, Row) -> Option<T>,
    ) -> Result<Vec<T>, Problem> {
        let Value::Array(items) = self.0 else { return Err(Problem::bad("the body must be a list")) };
        let mut reader = Reader { now, errors: Vec::new() };
        let mut rows = Vec::new();
        for (place, item) in items.into_iter().enumerate() {
            let at = format!("/{place}");
            if let Some(row) = reader.row(&at, item, true) {
                rows.extend(read(&mut reader, &at, row));
            }
        }
        if reader.errors.is_empty() { Ok(rows) } else { Err(Problem::of_items(Kind::InvalidItems, reader.errors)) }
    }
}

impl Row {
    fn fields(self) -> SuspensionFields {
        SuspensionFields { cause: self.cause, until: self.until.or(self.enabled.map(|_| None)) }
    }
}

impl Reader {
    fn wrong(&mut self, at: &str, field: &str, what: impl Into<String>) {
        self.errors.push(ItemError { pointer: format!("{at}{field}"), detail: what.into() });
    }

    fn user(&mut self, at: &str, row: &Row) -> Option<UserId> {
        if row.user.is_none() {
            self.wrong(at, "/user", "is missing");
        }
        row.user
    }

    /// `None` when it can not be read; what is wrong is kept.
    fn row(&mut self, at: &str, item: Value, is_named: bool) -> Option<Row> {
        let Value::Object(fields) = item else {
            self.wrong(at, "", "must be an object");
            return None;
        };
        let before = self.errors.len();
        let mut row = Row::default();
        self.fields(at, fields, is_named, &mut row);
        let is_suspending = row.cause.iter().flatten().next().is_some() || row.until.flatten().is_some();
        if row.enabled == Some(true) && is_suspending {
            self.wrong(at, "/enabled", "who is enabled has neither a reason nor an end of a suspension");
        }
        (self.errors.len() == before).then_some(row)
    }

    fn fields(&mut self, at: &str, fields: Map<String, Value>, is_named: bool, row: &mut Row) {
        for (name, value) in fields {
            let read = match (&*name, value) {
                ("user", Value::Number(number)) if is_named => {
                    let user = number.as_u64().and_then(|number| u32::try_from(number).ok()).and_then(UserId::new);
                    user.map(|user| row.user = Some(user)).ok_or("must be the number of a user".to_owned())
                }
                ("user", _) if is_named => Err("must be the number of a user".to_owned()),
                ("enabled", Value::Bool(enabled)) => {
                    row.enabled = Some(enabled);
                    Ok(())
                }
                ("enabled", _) => Err("must be true or false".to_owned()),
                ("reason", Value::Null) => {
                    row.cause = Some(None);
                    Ok(())
                }
                ("reason", Value::String(text)) => Cause::parse(&text).map(|cause| row.cause = Some(Some(cause))),
                ("until", Value::Null) => {
                    row.until = Some(None);
                    Ok(())
                }
                ("until", Value::String(text)) => clock::read(&text).and_then(|until| {
                    row.until = Some(Some(until));
                    if until > self.now { Ok(()) } else { Err("has passed".to_owned()) }
                }),
                ("reason" | "until", _) => Err("must be a text, or null".to_owned()),
                _ => Err("is not known".to_owned()),
            };
            if let Err(what) = read {
                self.wrong(at, &format!("/{}", name.replace('~', "~0").replace('/', "~1")), what);
            }
        }
    }
}

/// The versions that `If-Match` names (RFC 9110 section 13.1.1); `None` where there is none, or any will do. A tag that is none
/// of ours names nothing.
pub(super) fn if_match(headers: &HeaderMap) -> Option<Vec<Version>> {
    let mut values = headers.get_all(header::IF_MATCH).into_iter().peekable();
    values.peek()?;
    let texts = values.filter_map(|value| value.to_str().ok());
    let tags: Vec<_> = texts.flat_map(|text| text.split(',')).map(str::trim).collect();
    let version = |tag: &&str| Version::parse(tag.strip_prefix('"')?.strip_suffix('"')?);
    (!tags.contains(&"*")).then(|| tags.iter().filter_map(version).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let check = |value: &str| if_match(&HeaderMap::from_iter([(header::IF_MATCH, value.parse().unwrap())]));
        let (one, two) = ("\"0000000000000001\"", "\"0000000000000002\"");
        assert_eq!(if_match(&HeaderMap::new()), None);
        assert_eq!(check("*"), None);
        assert_eq!(check(one), Some(vec![Version(1)]));
        assert_eq!(check(&format!("{one} , {two}")), Some(vec![Version(1), Version(2)]));
        assert_eq!(check(&format!("W/{one}")), Some(vec![]), "a weak one is never the same");
        assert_eq!(check("0000000000000001"), Some(vec![]));
        assert_eq!(check(""), Some(vec![]));
    }
}
