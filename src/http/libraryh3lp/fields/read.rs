//! From a request to its fields: the one place where bodies are read.
//!
//! A body with nothing in it leaves the word to the query string, whatever its type; where there is anything in it the query
//! does not count. `multipart/form-data` is read as that. What begins with `{` or `[` is JSON, whatever its type says: old
//! clients send JSON as a form, as plain text or as nothing in particular, and no form of ours begins like that. Anything
//! else is what its type says; without a type, or as plain text, it is a form if it has a `=` in it. Everything is UTF-8,
//! whatever a `charset` says.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, Uri, header, request::Parts},
};
use serde_json::Value;

use super::{Failure, Field, Fields, multipart};

/// What a body is.
enum Kind {
    Json,
    Form,
    Multipart,
}

/// Reads the fields of a request, and gives back its head. No more is read than a body may have.
pub(in crate::http::libraryh3lp) async fn read(request: Request) -> (Parts, Result<Fields, Failure>) {
    let (head, body) = request.into_parts();
    let fields = match Bytes::from_request(Request::from_parts(head.clone(), body), &()).await {
        Ok(body) => of_body(&head, body).await,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"))
        }
        Err(_) => Err(malformed("the body broke off")),
    };
    (head, fields)
}

/// The fields in the query string.
pub(in crate::http::libraryh3lp) fn in_query(uri: &Uri) -> Fields {
    pairs(uri.query().unwrap_or_default().as_bytes())
}

async fn of_body(head: &Parts, body: Bytes) -> Result<Fields, Failure> {
    // Some programs put a mark of the order of bytes before all that they write (RFC 8259 section 8.1).
    let unmarked = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body).trim_ascii_start();
    let text = unmarked.trim_ascii_end();
    if text.is_empty() {
        return Ok(in_query(&head.uri));
    }
    match kind(&head.headers, text)? {
        Kind::Json => json(text),
        // A space may be a value's last character, the end of a line is not.
        Kind::Form => Ok(pairs(without_line_end(unmarked))),
        Kind::Multipart => multipart::read(head.clone(), body).await,
    }
}

fn without_line_end(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}

fn kind(headers: &HeaderMap, text: &[u8]) -> Result<Kind, Failure> {
    let given = headers.get(header::CONTENT_TYPE).map_or(Ok(""), |given| given.to_str());
    let given = given.ok().and_then(|given| given.split(';').next()).unwrap_or("?").trim().to_ascii_lowercase();
    if given == "multipart/form-data" {
        return Ok(Kind::Multipart);
    }
    if matches!(text.first(), Some(b'{' | b'[')) {
        return Ok(Kind::Json);
    }
    match given.as_str() {
        "application/json" | "text/json" => Ok(Kind::Json),
        "application/x-www-form-urlencoded" => Ok(Kind::Form),
        "" | "text/plain" if text.contains(&b'=') => Ok(Kind::Form),
        "" | "text/plain" => Err(malformed("the body is neither a JSON object nor a form")),
        json if json.ends_with("+json") => Ok(Kind::Json),
        _ => Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the Content-Type must be application/json, application/x-www-form-urlencoded or multipart/form-data",
        )),
    }
}

/// What a parser says of JSON names the place and what is wrong there, and nothing that stands in it.
fn json(text: &[u8]) -> Result<Fields, Failure> {
    match serde_json::from_slice(text) {
        Ok(Value::Object(fields)) => Ok(Fields(fields.into_iter().map(|(name, it)| (name, it.into())).collect())),
        Ok(_) => Err(malformed("the body must be a JSON object")),
        Err(error) => Err(malformed(format!("the body is not JSON: {error}"))),
    }
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

/// Fields as they stand in a form or a query. There is nothing that can not be read so: what is escaped badly stays as it is.
fn pairs(text: &[u8]) -> Fields {
    let pairs = form_urlencoded::parse(text);
    Fields(pairs.map(|(name, value)| (name.into_owned(), Field::typed(value.into_owned()))).collect())
}

impl Field {
    fn typed(text: String) -> Self {
        // The parser puts this character in place of what is no UTF-8, and nobody types it.
        if text.contains(char::REPLACEMENT_CHARACTER) { Self::Unreadable } else { Self::Typed(text) }
    }
}

pub(super) fn malformed(what: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, what)
}
