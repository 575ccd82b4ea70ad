//! What every reply tells browsers, so that they make no more of it than it is.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

/// JSON that is opened as a page runs nothing, loads nothing, and stands in no frame.
const JSON_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// For every reply: its type is not guessed, and links in it do not tell where they stood.
pub(super) async fn safe(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    set_unless_set(headers, header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if is_json(headers) {
        set_unless_set(headers, header::CONTENT_SECURITY_POLICY, JSON_POLICY);
    }
    response
}

/// For replies to who has logged in: nobody in between keeps them, nor does the browser.
pub(super) async fn private(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// For replies over TLS: the browser comes by HTTPS only, for as long as that (RFC 6797).
pub(super) async fn only_https(State(age): State<Duration>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let value = HeaderValue::try_from(format!("max-age={}", age.as_secs())).expect("it is ASCII");
    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
    response
}

fn set_unless_set(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind == "application/json" || kind.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use crate::http::{libraryh3lp, testing::Rig};

    /// All paths that some file below `folder` serves, as they stand in its source.
    fn routes(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // The admin socket is no place for browsers.
            if path.is_dir() && !path.ends_with("admin") {
                routes(&path, found);
            } else if path.is_file() {
                let text = fs::read_to_string(&path).unwrap();
                let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
                for (at, call) in shipped.match_indices(".route(") {
                    let rest = shipped[at + call.len()..].trim_start();
                    let route = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
                    let route = route.unwrap_or_else(|| panic!("{}: a route whose path is no text", path.display()));
                    found.insert(route.to_owned());
                }
            }
        }
    }

    /// Every path of the API with numbers in the place of its parameters.
    fn api() -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
        let mut paths: BTreeSet<String> = libraryh3lp::paths().collect();
        let mut own = BTreeSet::new();
        routes(&folder.join("v1"), &mut own);
        paths.extend(own.iter().map(|path| format!("/v1{path}")));
        let number = |path: &String| {
            let parts = path.split('/').map(|part| if part.starts_with('{') { "3" } else { part });
            parts.collect::<Vec<_>>().join("/")
        };
        paths.iter().map(number).collect()
    }

    #[tokio::test]
    async fn no_other_site_reads_what_is_not_public() {
        let rig = Rig::new().await;
        let paths = api();
        for known in ["/2011-12-03/queues/3/operators/3", "/api/auth/login", "/v1/users/3"] {
            assert!(paths.contains(known), "{known} in {paths:?}");
        }
        for path in &paths {
            for method in ["OPTIONS", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
                for login in [("cookie", "libraryh3lp-session=boss"), ("authorization", "Basic Ym9zczpwYXNzOndvcmQ=")] {
                    let origin = [("origin", "https://evil.example"), ("access-control-request-method", method)];
                    let reply =
                        rig.send(&format!("{method} {path}"), "", &[&[login], origin.as_slice()].concat()).await;
                    let names: Vec<_> = reply.headers.keys().map(axum::http::HeaderName::as_str).collect();
                    assert!(!names.iter().any(|name| name.starts_with("access-control")), "{method} {path}: {names:?}");
                    assert_eq!(reply.header("cache-control"), Some("no-store"), "{method} {path}");
                    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{method} {path}");
                    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{method} {path}");
                    let policy = Some("default-src 'none'; frame-ancestors 'none'");
                    let is_json = reply.header("content-type").is_some_and(|kind| kind.contains("json"));
                    assert_eq!(reply.header("content-security-policy"), policy.filter(|_| is_json), "{method} {path}");
                    assert_eq!(reply.header("strict-transport-security"), None, "not without TLS");
                }
            }
        }
    }

    #[tokio::test]
    async fn what_is_public_says_so() {
        let rig = Rig::new().await;
        let reply = rig.send("GET /presence/jid/law/queues.example.org/text", "", &[]).await;
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        let reply = rig.send("GET /nowhere", "", &[("origin", "https://evil.example")]).await;
        assert_eq!(reply.header("access-control-allow-origin"), None);
        assert_eq!(reply.header("content-security-policy"), Some("default-src 'none'; frame-ancestors 'none'"));
    }
}
