//! Requests that change something come from our own pages, or from no page at all.
//!
//! A browser sends a session's cookie along with whatever page asks, so a page of another site could have its visitors change
//! what they may change (CSRF), or log them in as somebody else. Browsers say where a request comes from, and no page can make
//! them say otherwise (`Sec-Fetch-Site`, Fetch Metadata; `Origin`, RFC 6454). Programs say nothing of the kind. Who sends an
//! `Authorization` header and no cookie has read the login somewhere, which a page of another site can not.

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Failure, auth};

/// What who is refused is told.
const REFUSED: &str = "this request comes from a page of another site, which may change nothing here: send it from a page of \
                       this host (a reverse proxy has to pass the Host header on), or from a program with a token and no \
                       cookie";

/// Refuses what a page of another site asks to be changed, in the shape of `E`.
pub(super) async fn only_ours<E: From<Failure> + IntoResponse>(request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_safe || is_by_token_alone(request.headers()) || may_change(&request) {
        return next.run(request).await;
    }
    E::from(Failure::new(StatusCode::FORBIDDEN, REFUSED)).into_response()
}

fn is_by_token_alone(headers: &HeaderMap) -> bool {
    auth::has_token(headers) && !auth::has_session(headers)
}

/// Whether the request comes from one of our pages, from the user themselves, or from no browser.
fn may_change(request: &Request) -> bool {
    let headers = request.headers();
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let mut origins = headers.get_all(header::ORIGIN).into_iter();
    match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) => origin.to_str().is_ok_and(|origin| is_ours(origin, request)),
        (Some(_), Some(_)) => false,
    }
}

/// Whether `origin` is where the request was sent to. We are on HTTPS, whatever a proxy in between speaks to us.
fn is_ours(origin: &str, request: &Request) -> bool {
    let asked = request.uri().authority().map(axum::http::uri::Authority::as_str);
    let host = asked.or_else(|| request.headers().get(header::HOST)?.to_str().ok());
    let without_port = |host: &str| host.strip_suffix(":443").unwrap_or(host).to_ascii_lowercase();
    let Some(origin) = origin.strip_prefix("https://") else { return false };
    host.is_some_and(|host| !host.is_empty() && without_port(host) == without_port(origin))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;
    use crate::http::testing::{PASSWORD, Rig};

    const HOST: (&str, &str) = ("host", "chat.example.org");
    const SESSION: (&str, &str) = ("cookie", "a=b; libraryh3lp-session=boss");

    fn check(uri: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::post(uri).body(Body::empty()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(header::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        may_change(&request)
    }

    #[test]
    fn where_a_request_comes_from() {
        let from = |origin| check("/", &[HOST, ("origin", origin)]);
        assert!(check("/", &[HOST]), "no browser");
        assert!(from("https://chat.example.org"));
        assert!(from("https://chat.example.org:443"));
        for other in [
            "null",
            "",
            "http://chat.example.org",
            "https://chat.example.org:8443",
            "https://evil.example.org",
            "https://chat.example.org.evil.example",
            "https://evil.example/chat.example.org",
            "chat.example.org",
        ] {
            assert!(!from(other), "{other}");
        }
        let site = |site, origin| check("/", &[HOST, ("sec-fetch-site", site), ("origin", origin)]);
        assert!(site("same-origin", "https://chat.example.org"));
        assert!(site("none", "null"), "typed by the user");
        assert!(!site("same-site", "https://staff.example.org"));
        assert!(!site("cross-site", "https://evil.example"));
        assert!(!site("cross-site", "https://chat.example.org"), "it came by way of another site");
        assert!(!site("Same-Origin", "null"), "no browser says it so");
    }

    #[test]
    fn our_host_is_the_one_that_was_asked() {
        let origin = ("origin", "https://[::1]:8443");
        assert!(check("/", &[("host", "[::1]:8443"), origin]));
        assert!(check("https://[::1]:8443/", &[origin]), "HTTP/2");
        assert!(!check("https://other:8443/", &[("host", "[::1]:8443"), origin]));
        assert!(!check("/", &[origin]), "no host");
        assert!(check("/", &[("host", "Chat.Example.ORG:443"), ("origin", "https://chat.example.org")]));
        let ours = ("origin", "https://chat.example.org");
        assert!(!check("/", &[HOST, ours, ("origin", "https://evil.example")]));
        assert!(!check("/", &[("host", ""), ("origin", "https://")]));
    }

    #[tokio::test]
    async fn every_change_of_either_family() {
        let rig = Rig::new().await;
        let foreign = [HOST, SESSION, ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
        for request in [
            "POST /2011-12-03/queues",
            "PUT /2011-12-03/queues/3",
            "PATCH /2011-12-03/queues/3",
            "DELETE /2011-12-03/queues/4",
            "POST /2011-12-03/queues?_method=GET",
            "POST /api/auth/logout",
        ] {
            let reply = rig.send(request, r#"{"name": "new"}"#, &foreign).await;
            insta::allow_duplicates! {
                insta::assert_snapshot!(reply.line(), @r#"403 {"success":null,"message":"this request comes from a page of another site, which may change nothing here: send it from a page of this host (a reverse proxy has to pass the Host header on), or from a program with a token and no cookie","error":"this request comes from a page of another site, which may change nothing here: send it from a page of this host (a reverse proxy has to pass the Host header on), or from a program with a token and no cookie"}"#);
            }
        }
        let problem = rig.send("POST /v1/users", "{}", &foreign).await;
        insta::assert_snapshot!(problem.line(), @r#"403 {"type":"/docs#forbidden","title":"This may not be done","status":403,"detail":"this request comes from a page of another site, which may change nothing here: send it from a page of this host (a reverse proxy has to pass the Host header on), or from a program with a token and no cookie"}"#);
        assert_eq!(problem.header("content-type"), Some("application/problem+json; charset=utf-8"));
        let both = [foreign.as_slice(), &[("authorization", "Basic Ym9zczpwYXNzOndvcmQ=")]].concat();
        assert_eq!(rig.send("DELETE /2011-12-03/queues/4", "", &both).await.status, 403, "the cookie counts");
        assert_eq!(rig.ask("boss", "GET /2011-12-03/queues/4", "").await.status, 200, "nothing was changed");
    }

    #[tokio::test]
    async fn what_goes_on_as_before() {
        let rig = Rig::new().await;
        let ours = [HOST, SESSION, ("origin", "https://chat.example.org"), ("sec-fetch-site", "same-origin")];
        let foreign = [HOST, ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
        let basic = ("authorization", "Basic Ym9zczpwYXNzOndvcmQ=");
        let rename = |to: &str| format!(r#"{{"name": "{to}"}}"#);
        let ask = async |request: &str, body: &str, headers: &[&[(&str, &str)]]| {
            rig.send(request, body, &headers.concat()).await.status.as_u16()
        };
        assert_eq!(ask("PUT /2011-12-03/queues/3", &rename("a"), &[&ours]).await, 200);
        assert_eq!(ask("PUT /2011-12-03/queues/3", &rename("b"), &[&[HOST, SESSION]]).await, 200, "no browser");
        let [good, token] = [basic, ("authorization", "Bearer of-nobody")];
        assert_eq!(ask("PUT /2011-12-03/queues/3", &rename("c"), &[&[HOST], &[good]]).await, 200, "no browser");
        assert_eq!(
            ask("PUT /2011-12-03/queues/3", &rename("d"), &[&foreign, &[good]]).await,
            403,
            "kept by the browser"
        );
        assert_eq!(ask("PUT /2011-12-03/queues/3", &rename("d"), &[&foreign, &[token]]).await, 401, "it is looked at");
        assert_eq!(ask("GET /2011-12-03/queues/3", "", &[&foreign, &[SESSION]]).await, 200, "it changes nothing");
    }

    #[tokio::test]
    async fn nobody_is_logged_in_from_elsewhere() {
        let rig = Rig::new().await;
        let body = format!(r#"{{"username": "boss", "password": "{PASSWORD}"}}"#);
        let log_in = async |headers: &[(&str, &str)]| {
            let reply = rig.send("POST /api/auth/login", &body, &[&[HOST], headers].concat()).await;
            (reply.status.as_u16(), reply.header("set-cookie").is_some())
        };
        assert_eq!(log_in(&[]).await, (200, true));
        assert_eq!(log_in(&[("origin", "https://chat.example.org")]).await, (200, true));
        assert_eq!(log_in(&[("origin", "https://evil.example")]).await, (403, false));
        assert_eq!(log_in(&[("origin", "null")]).await, (403, false));
        assert_eq!(log_in(&[("sec-fetch-site", "cross-site")]).await, (403, false));
        assert_eq!(log_in(&[("sec-fetch-site", "same-site")]).await, (403, false));
    }
}
