//! What replies tell browsers, so that they make no more of them than they are.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::Current;

/// Nobody in between keeps it, nor does the browser.
const NOT_KEPT: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
/// It is what its type says.
const NOT_GUESSED: (HeaderName, HeaderValue) = (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
/// Links in it do not tell where they stood.
const NO_REFERRER: (HeaderName, HeaderValue) = (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));

/// What every JSON has. Opened as a page it runs nothing, loads nothing, and stands in no frame.
pub(super) const OF_JSON: [(HeaderName, HeaderValue); 4] = [
    NOT_KEPT,
    NOT_GUESSED,
    NO_REFERRER,
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
];

/// For replies to who has logged in, whatever is in them.
pub(super) async fn private(request: Request, next: Next) -> Response {
    ([NOT_KEPT, NOT_GUESSED, NO_REFERRER], next.run(request).await).into_response()
}

/// For replies over TLS: the browser comes by HTTPS only, for as long as that (RFC 6797).
pub(super) async fn only_https(State(settings): State<Current>, request: Request, next: Next) -> Response {
    let value = format!("max-age={}", settings.get().hsts.as_secs());
    ([(header::STRICT_TRANSPORT_SECURITY, value)], next.run(request).await).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::http::{
        libraryh3lp::{self, VERSIONS},
        testing::{Reply, Rig},
        v1,
    };

    /// Every path of the API with numbers in the place of its parameters.
    fn api() -> BTreeSet<String> {
        // Nothing is served there without its description.
        let own = v1::routes().1.paths.paths.into_keys();
        let of_versions = libraryh3lp::paths().flat_map(|path| VERSIONS.map(|(prefix, _)| format!("{prefix}{path}")));
        let all = of_versions.chain(own);
        let number = |path: String| {
            let parts = path.split('/').map(|part| if part.starts_with('{') { "3" } else { part });
            parts.collect::<Vec<_>>().join("/")
        };
        all.map(number).collect()
    }

    /// The headers of a reply, none of which may stand there twice.
    fn names(reply: &Reply) -> Vec<&str> {
        let names: Vec<_> = reply.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), reply.headers.keys_len(), "{names:?}");
        names
    }

    #[tokio::test]
    async fn no_other_site_reads_what_is_not_public() {
        let rig = Rig::new().await;
        let paths = api();
        for known in ["/2011-12-03/queues/3/operators/3", "/api/auth/login", "/v1/users", "/v1/users/3"] {
            assert!(paths.contains(known), "{known} in {paths:?}");
        }
        for path in &paths {
            for method in ["OPTIONS", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
                for login in [("cookie", "libraryh3lp-session=boss"), ("authorization", "Basic Ym9zczpwYXNzOndvcmQ=")] {
                    let origin = [("origin", "https://evil.example"), ("access-control-request-method", method)];
                    let reply =
                        rig.send(&format!("{method} {path}"), "", &[&[login], origin.as_slice()].concat()).await;
                    let names = names(&reply);
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
        names(&rig.send("POST /presence/jid/law/queues.example.org/text", "", &[]).await);
        let reply = rig.send("GET /nowhere", "", &[("origin", "https://evil.example")]).await;
        assert_eq!(reply.header("access-control-allow-origin"), None);
        assert_eq!(reply.header("content-security-policy"), Some("default-src 'none'; frame-ancestors 'none'"));
    }
}
