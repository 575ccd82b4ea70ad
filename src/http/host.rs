//! Of which host something is asked.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, Version, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::Failure;

/// Answers 400 to a request of HTTP/1.1 that does not name one host, as it has to (RFC 9112 section 3.2), and ends its connection:
/// whoever passed it on may have understood another one.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let mut named = request.headers().get_all(header::HOST).into_iter();
    let is_missing = match (named.next(), named.next()) {
        // HTTP/2 has it elsewhere, and HTTP/1.0 not at all.
        (None, _) => request.version() == Version::HTTP_11,
        (Some(host), None) => !is_host(host),
        (Some(_), Some(_)) => true,
    };
    if !is_missing {
        return next.run(request).await;
    }
    let failure = Failure::new(StatusCode::BAD_REQUEST, "the request must name one host, in one Host header");
    let mut reply = failure.into_response();
    if request.version() <= Version::HTTP_11 {
        reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    reply
}

/// A host, with a port or not; nothing, where what is asked for has none.
fn is_host(value: &HeaderValue) -> bool {
    let is_authority = Authority::try_from(value.as_bytes()).is_ok_and(|host| !host.as_str().contains('@'));
    value.is_empty() || is_authority
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware::from_fn, routing::get};
    use tower::ServiceExt;

    use super::*;

    async fn ask(version: Version, hosts: &[&str]) -> u16 {
        let router: Router = Router::new().route("/", get(async || "")).layer(from_fn(check));
        let mut request = Request::get("/").version(version).body(Body::empty()).unwrap();
        for host in hosts {
            request.headers_mut().append(header::HOST, host.parse().unwrap());
        }
        let reply = router.oneshot(request).await.unwrap();
        assert!(reply.status() == 200 || reply.headers().contains_key("connection") || version == Version::HTTP_2);
        reply.status().as_u16()
    }

    #[tokio::test]
    async fn one_host_is_named() {
        for host in ["localhost", "queues.example.org:5443", "192.0.2.1:80", "[2001:db8::1]:443", ""] {
            assert_eq!(ask(Version::HTTP_11, &[host]).await, 200, "{host:?}");
        }
        for hosts in [&[][..], &["a", "a"], &["a b"], &["user@a"], &["a/b"], &["a, b"]] {
            assert_eq!(ask(Version::HTTP_11, hosts).await, 400, "{hosts:?}");
        }
        assert_eq!((ask(Version::HTTP_10, &[]).await, ask(Version::HTTP_2, &[]).await), (200, 200));
        assert_eq!(ask(Version::HTTP_2, &["a", "b"]).await, 400);
    }
}
