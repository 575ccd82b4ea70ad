//! All the ways in which clients write one and the same request.

use form_urlencoded::Serializer;
use serde_json::{Map, Value};

/// A request as it is sent, but for what is before the path.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) label: String,
    pub(super) method: String,
    /// Behind the path: nothing, or a slash.
    pub(super) slash: &'static str,
    pub(super) query: String,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=\"a boundary\"";

fn way(label: &str, method: &str, query: &str, content_type: &'static str, body: impl Into<Vec<u8>>) -> Way {
    Way { label: label.into(), method: method.into(), slash: "", query: query.into(), content_type, body: body.into() }
}

type Pairs = Vec<(String, String)>;

/// As a form says it, if one can.
fn pairs(fields: &Map<String, Value>) -> Option<Pairs> {
    let text = |value: &Value| match value {
        Value::Null => Some(String::new()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(value) => Some(value.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
    };
    fields.iter().map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

fn escaped(pairs: &Pairs) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// As somebody does who has never heard of escaping, where that can be understood.
fn sloppy(pairs: &Pairs) -> String {
    let value = |text: &str| {
        // Nothing in the table looks like an escape, so a bare `%` is one.
        text.replace('&', "%26").replace('+', "%2B")
    };
    pairs.iter().flat_map(|(name, text)| [name, "=", &value(text), "&"].map(str::to_owned)).collect()
}

fn multipart(pairs: &Pairs) -> Vec<u8> {
    let part = |(name, text): &(String, String)| {
        format!("--a boundary\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    };
    (pairs.iter().map(part).collect::<String>() + "--a boundary--\r\n").into_bytes()
}

fn with(fields: &Map<String, Value>, name: &str, value: &str) -> Map<String, Value> {
    let mut fields = fields.clone();
    fields.insert(name.to_owned(), value.into());
    fields
}

/// Every way to write `fields`; `only` is `json`, `form` or nothing.
pub(super) fn writes(method: &str, fields: &Map<String, Value>, only: &str) -> Vec<Way> {
    let mut ways = Vec::new();
    let pairs = pairs(fields).filter(|_| only != "json");
    if only != "form" {
        ways.extend(in_json(method, fields));
    }
    if let Some(pairs) = &pairs {
        ways.extend(in_forms(method, pairs));
    }
    if method != "POST" {
        ways.extend(instead_of(method, fields, only, pairs.is_some()));
    }
    let slashed = ways.first().cloned().map(|way| Way { slash: "/", label: format!("{}, slash", way.label), ..way });
    ways.into_iter().chain(slashed).collect()
}

fn in_json(method: &str, fields: &Map<String, Value>) -> Vec<Way> {
    let body = Value::from(fields.clone()).to_string();
    vec![
        way("JSON", method, "name=in-the-query&enabled=1", JSON, body.as_str()),
        way("JSON with a charset", method, "", "Application/json;charset=UTF-8", body.as_str()),
        way("JSON as a form", method, "_=1234", FORM, body.as_str()),
        way("JSON as text", method, "", "text/plain;charset=UTF-8", body.as_str()),
        way("JSON as nothing", method, "", "", format!("\u{feff}{body}\r\n")),
    ]
}

fn in_forms(method: &str, pairs: &Pairs) -> Vec<Way> {
    let form = escaped(pairs);
    let mut ways = vec![
        way("form", method, "", FORM, form.as_str()),
        way("sloppy form", method, "", "application/x-www-form-urlencoded; charset=UTF-8", sloppy(pairs)),
        way("multipart", method, "", MULTIPART, multipart(pairs)),
        way("query", method, &form, "", ""),
        way("query, and an empty form", method, &format!("&{form}&"), FORM, ""),
        way("query, and empty JSON", method, &form, JSON, "\r\n"),
    ];
    if !pairs.is_empty() {
        ways.push(way("form as nothing", method, "", "", form.as_str()));
        ways.push(way("form, but the query", method, "name=in-the-query&enabled=1&userId=99", FORM, form.as_str()));
    }
    ways
}

/// As a POST that stands for `method`.
fn instead_of(method: &str, fields: &Map<String, Value>, only: &str, as_form: bool) -> Vec<Way> {
    let in_query = format!("_method={method}");
    let mut ways = Vec::new();
    if only != "form" {
        ways.push(way("POST, JSON", "POST", &in_query, JSON, Value::from(fields.clone()).to_string()));
        let body = Value::from(with(fields, "_method", method)).to_string();
        ways.push(way("POST, all in JSON", "POST", "", JSON, body));
    }
    if as_form {
        let lower = pairs(&with(fields, "_method", &method.to_lowercase())).unwrap_or_default();
        let plain = escaped(&pairs(fields).unwrap_or_default());
        ways.push(way("POST, form", "POST", &in_query.to_lowercase(), FORM, plain));
        ways.push(way("POST, all in a form", "POST", "", FORM, escaped(&lower)));
        ways.push(way("POST, all in a form, other query", "POST", "_method=DELETE", FORM, escaped(&lower)));
        ways.push(way("POST, all in multipart", "POST", "", MULTIPART, multipart(&lower)));
        ways.push(way("POST, all in the query", "POST", &escaped(&lower), "", ""));
    }
    ways
}

/// Every way to ask for what has no fields: whatever is in the body does not count.
pub(super) fn reads(method: &str) -> Vec<Way> {
    let mut ways = vec![
        way("plain", method, "", "", ""),
        way("unknown query", method, "since=yesterday&x=&%ff&_method=PUT&name=x", "", ""),
        way("an object", method, "", JSON, "{}"),
        way("malformed JSON", method, "", JSON, "{\"malformed"),
        way("a form", method, "", FORM, "name=new&enabled=&_method=DELETE"),
        way("broken multipart", method, "", MULTIPART, "--"),
        way("multipart without a boundary", method, "", "multipart/form-data", "--"),
        way("a picture", method, "", "image/png", b"\x89PNG\xff".as_slice()),
        way("a large body", method, "", JSON, vec![b'x'; 70_000]),
    ];
    ways.push(Way { slash: "/", ..way("a slash", method, "", "", "") });
    if method == "DELETE" {
        ways.extend([
            way("POST, query", "POST", "_method=DELETE", "", ""),
            way("POST, query and an object", "POST", "_method=Delete", JSON, "{}"),
            way("POST, query and malformed JSON", "POST", "_method=DELETE", JSON, "{\"malformed"),
            way("POST, query and a large body", "POST", "_method=DELETE", JSON, vec![b'x'; 70_000]),
            way("POST, form", "POST", "", FORM, "_method=delete&name=new"),
            way("POST, multipart", "POST", "", MULTIPART, multipart(&vec![("_method".into(), "DELETE".into())])),
        ]);
    }
    ways
}

#[test]
fn what_is_sloppy() {
    let pairs: Pairs = vec![("name".into(), "50% of a+b & c".into())];
    assert_eq!(sloppy(&pairs), "name=50% of a%2Bb %26 c&");
}
