//! The description of the API as a page for people: one text without scripts, made once at the start.

use std::fmt::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::openapi::OpenApi;

use super::v1::problem::Kind;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
    code,pre{font-family:ui-monospace,monospace}table{border-collapse:collapse;margin:.5rem 0}\
    td,th{border:1px solid #8886;padding:.2rem .6rem;text-align:left;vertical-align:top}\
    section{border-top:1px solid #8886;margin-top:1.5rem}:root{color-scheme:light dark}";

/// The page.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) html: String,
    /// What the page's style hashes to, as policies name it.
    pub(super) style_hash: String,
}

impl Page {
    /// The page of a description.
    pub(super) fn of(description: &OpenApi) -> Self {
        let description = serde_json::to_value(description).unwrap_or_default();
        let style_hash = format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(STYLE)));
        Self { html: page(&description), style_hash }
    }
}

fn page(description: &Value) -> String {
    let mut out = String::new();
    let info = &description["info"];
    out += "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">";
    out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">";
    out += &format!("<title>{} API</title><style>{STYLE}</style></head><body>\n", text(&info["title"]));
    out +=
        &format!("<h1>{} {}</h1>\n{}", text(&info["title"]), text(&info["version"]), paragraphs(&info["description"]));
    out += "<p>The same for programs: <a href=\"/openapi.json\"><code>/openapi.json</code></a> (OpenAPI 3.1).</p>\n";
    for (path, methods) in entries(&description["paths"]) {
        for (method, operation) in entries(methods) {
            show_operation(&mut out, path, method, operation, &description["components"]["responses"]);
        }
    }
    out += "<section><h2>Shapes</h2>\n";
    for (name, schema) in entries(&description["components"]["schemas"]) {
        out += &format!("<h3 id=\"shape-{0}\">{0}</h3>\n{1}", escape(name), paragraphs(&schema["description"]));
        show_properties(&mut out, schema);
    }
    out += "</section>\n";
    show_problems(&mut out);
    out + "</body></html>\n"
}

/// `shared` are the responses that operations have in common.
fn show_operation(out: &mut String, path: &str, method: &str, operation: &Value, shared: &Value) {
    let method = method.to_uppercase();
    *out += &format!("<section><h2>{} <code>{}</code></h2>\n", escape(&method), escape(path));
    *out += &paragraphs(&operation["summary"]);
    *out += &paragraphs(&operation["description"]);
    let parameters = operation["parameters"].as_array();
    if let Some(parameters) = parameters.filter(|list| !list.is_empty()) {
        *out += "<table><tr><th>parameter</th><th>in</th><th>type</th><th>what</th></tr>\n";
        for it in parameters {
            let what = [&it["description"], &it["schema"]["description"]].into_iter().find(|what| what.is_string());
            let (name, place, what) = (text(&it["name"]), text(&it["in"]), what.map(text).unwrap_or_default());
            let kind = kind(&it["schema"]);
            *out += &format!("<tr><td><code>{name}</code></td><td>{place}</td><td>{kind}</td><td>{what}</td></tr>\n");
        }
        *out += "</table>\n";
    }
    for (content_type, body) in entries(&operation["requestBody"]["content"]) {
        *out += &format!("<p>Body: {} as <code>{}</code></p>\n", kind(&body["schema"]), escape(content_type));
    }
    *out += "<table><tr><th>status</th><th>what</th><th>body</th></tr>\n";
    for (status, response) in entries(&operation["responses"]) {
        let name = response["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
        let response = name.map_or(response, |name| &shared[name]);
        let body = entries(&response["content"]).map(|(_, body)| kind(&body["schema"])).next().unwrap_or_default();
        let (status, what) = (escape(status), text(&response["description"]));
        *out += &format!("<tr><td>{status}</td><td>{what}</td><td>{body}</td></tr>\n");
    }
    *out += "</table></section>\n";
}

fn show_properties(out: &mut String, schema: &Value) {
    *out += "<table><tr><th>field</th><th>type</th><th>what</th></tr>\n";
    let parts = schema["allOf"].as_array();
    for part in parts.into_iter().flatten().chain([schema]) {
        if let Some(reference) = part["$ref"].as_str() {
            *out += &format!("<tr><td></td><td>{}</td><td>and its fields</td></tr>\n", link(reference));
        }
        for (name, property) in entries(&part["properties"]) {
            let (name, kind, what) = (escape(name), kind(property), text(&property["description"]));
            *out += &format!("<tr><td><code>{name}</code></td><td>{kind}</td><td>{what}</td></tr>\n");
        }
    }
    *out += "</table>\n";
}

fn show_problems(out: &mut String) {
    *out += "<section><h2>Problems</h2>\n<p>What goes wrong below <code>/v1</code> is told as problem details (RFC 9457). \
             Their types lead here.</p>\n<table><tr><th>type</th><th>status</th><th>what</th></tr>\n";
    for problem in Kind::ALL {
        let (name, title, status) = problem.what();
        *out += &format!(
            "<tr id=\"{name}\"><td><code>/docs#{name}</code></td><td>{}</td><td>{}</td></tr>\n",
            status.as_u16(),
            escape(title)
        );
    }
    *out += "</table></section>\n";
}

/// What a schema is, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return link(reference);
    }
    let list = |values: &Value| values.as_array().cloned().unwrap_or_default();
    let choices: Vec<_> = ["oneOf", "anyOf", "allOf"].iter().flat_map(|word| list(&schema[*word])).collect();
    if !choices.is_empty() {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if schema["items"].is_object() {
        return format!("list of {}", kind(&schema["items"]));
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => text(&schema["type"]),
    };
    let mut words = if schema["properties"].is_object() { fields(&schema["properties"]) } else { types };
    let values = list(&schema["enum"]);
    if !values.is_empty() {
        let _ = write!(words, ": {}", values.iter().map(text).collect::<Vec<_>>().join(", "));
    }
    for (name, sign) in [("minimum", "from"), ("maximum", "to"), ("maxLength", "at most")] {
        if schema[name].is_number() {
            let _ = write!(words, " {sign} {}", text(&schema[name]));
        }
    }
    words
}

fn fields(properties: &Value) -> String {
    let names: Vec<_> = entries(properties).map(|(name, it)| format!("{}: {}", escape(name), kind(it))).collect();
    format!("{{{}}}", names.join(", "))
}

fn link(reference: &str) -> String {
    let name = escape(reference.rsplit('/').next().unwrap_or(reference));
    format!("<a href=\"#shape-{name}\">{name}</a>")
}

fn entries(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    object.as_object().into_iter().flat_map(Map::iter).map(|(name, value)| (name.as_str(), value))
}

fn paragraphs(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let parts = text.split("\n\n").filter(|part| !part.is_empty());
    parts.fold(String::new(), |out, part| out + "<p>" + &escape(part) + "</p>\n")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escape(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => escape(&value.to_string()),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_place() {
        let description = serde_json::json!({
            "info": { "title": "<b>", "version": "\"1\"", "description": "a & b" },
            "paths": { "/x": { "get": { "summary": "</section>", "responses": {} } } },
        });
        let page = page(&description);
        assert!(
            page.contains("&lt;b&gt;") && page.contains("a &amp; b") && page.contains("&lt;/section&gt;"),
            "{page}"
        );
        assert!(!page.contains("<b>"));
    }
}
