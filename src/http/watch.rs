//! What is watched of every request: that it is noted, ends in time, and brings nothing else down.

use std::{any::Any, net::SocketAddr};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::Instant;
use tracing::{Instrument, Span, debug, debug_span, error, error_span, field::Empty, warn};

use super::{Current, Failure, Site, libraryh3lp};
use crate::{
    domain::{AccountId, Who},
    metrics::{Api, Metrics},
};

/// How a request is called in the log and in its answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest that is taken over from a proxy.
const ID_MOST: usize = 64;

/// Notes a request in a span, with an id that the answer has too, and the path as it was matched, so that neither names nor
/// secrets in a query get into the log. Who it comes from is noted once that is known ([`note_caller`]).
pub(super) async fn trace(State(site): State<Site>, request: Request, next: Next) -> Response {
    let path = matched(&request);
    // There is none where no socket is, in tests.
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let settings = site.settings.get();
    let believed = peer.is_some_and(|peer| settings.access.proxies.are_at(peer));
    let theirs = request.headers().get(REQUEST_ID).filter(|id| believed && is_id(id)).cloned();
    let id = theirs.unwrap_or_else(new_id);
    // Of the highest level, so that every line of the request has it.
    let span = error_span!(
        "request",
        id = id.to_str().unwrap_or_default(),
        method = %request.method(),
        family = api(path).as_str(),
        path,
        peer = peer.map(tracing::field::display),
        account = Empty,
        by = Empty,
    );
    let mut response = timed(request, next).instrument(span).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// The same of a request for what is public and read often: it has no id, and is noted only where that is wanted.
pub(super) async fn trace_read(request: Request, next: Next) -> Response {
    let path = matched(&request);
    let span = debug_span!("request", method = %request.method(), family = api(path).as_str(), path);
    timed(request, next).instrument(span).await
}

/// The same of what is asked on this machine by the user with this number.
pub(super) async fn trace_local(uid: u32, request: Request, next: Next) -> Response {
    let id = new_id();
    let id = id.to_str().unwrap_or_default();
    let span = error_span!("request", id, method = %request.method(), family = Api::Admin.as_str(), path = matched(&request), uid);
    timed(request, next).instrument(span).await
}

async fn timed(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let response = next.run(request).await;
    let ms = began.elapsed().as_secs_f64() * 1_000.0;
    debug!(status = response.status().as_u16(), ms, "request answered");
    response
}

/// Notes whom the request comes from that is being worked on.
pub(super) fn note_caller(account: AccountId, who: &Who) {
    Span::current().record("account", account.get()).record("by", tracing::field::display(who));
}

fn matched(request: &Request) -> &str {
    request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str)
}

/// 16 hexadecimal digits that nobody has had before.
fn new_id() -> HeaderValue {
    let id = format!("{:016x}", getrandom::u64().unwrap_or_default());
    HeaderValue::try_from(id).expect("digits are legal in a header")
}

/// Whether it can be written into a log as it is.
fn is_id(id: &HeaderValue) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:=+/".contains(byte);
    (1..=ID_MOST).contains(&id.len()) && id.as_bytes().iter().all(is_plain)
}

/// Counts a request by what was asked for and what was answered, and takes its time.
pub(super) async fn count(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let asked = request.extensions().get::<MatchedPath>().map_or(Api::None, |path| api(path.as_str()));
    count_as(&metrics, asked, request, next).await
}

/// The same, where all is of one kind.
pub(super) async fn count_all(
    State((metrics, asked)): State<(Metrics, Api)>,
    request: Request,
    next: Next,
) -> Response {
    count_as(&metrics, asked, request, next).await
}

async fn count_as(metrics: &Metrics, asked: Api, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let response = next.run(request).await;
    metrics.http().answered(asked, response.status().as_str(), began.elapsed());
    response
}

/// What a path leads to, as a route has it.
fn api(path: &str) -> Api {
    let is_below =
        |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match path {
        "/healthz" | "/readyz" => Api::Health,
        "/openapi.json" | "/docs" => Api::Docs,
        _ if path.contains("/presence/") => Api::Presence,
        _ if is_below("/v1") => Api::V1,
        _ if libraryh3lp::VERSIONS.iter().any(|(prefix, _)| is_below(prefix)) => Api::LibraryH3lp,
        _ => Api::None,
    }
}

/// Gives up on a request that takes too long.
pub(super) async fn limit_time(State(settings): State<Current>, request: Request, next: Next) -> Response {
    let most = settings.get().request_timeout;
    tokio::time::timeout(most, next.run(request)).await.unwrap_or_else(|_| {
        warn!(?most, "request given up");
        let message = format!("the request took longer than {most:?}; what it asked for may still be done");
        Failure::unavailable(message).into_response()
    })
}

/// The answer in place of a handler that panicked. The panic itself has been printed where it happened.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    error!("a request's handler panicked");
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "rosterd made a mistake; its log says more").into_response()
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::get};
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    #[test]
    fn ids() {
        let check = |id: &str| is_id(&HeaderValue::from_str(id).unwrap());
        for good in ["a", "8f0c2d1e-77aa-4b3c", "Root=1-67891233-abcdef", &"x".repeat(ID_MOST)] {
            assert!(check(good), "{good}");
        }
        for bad in ["", "a b", "a\"b", "<script>", "a\tb", "a,b", &"x".repeat(ID_MOST + 1)] {
            assert!(!check(bad), "{bad}");
        }
        assert!(!is_id(&HeaderValue::from_bytes(b"\xff").unwrap()));
        assert!(check(new_id().to_str().unwrap()) && new_id() != new_id());
    }

    #[test]
    fn families() {
        for (path, expected) in [
            ("/v1/queues/{queue}", "v1"),
            ("/2011-12-03/queues", "libraryh3lp"),
            ("/api/auth/login", "libraryh3lp"),
            ("/presence/jid/{name}/{domain}/text", "presence"),
            ("/api/presence/jid/{name}/{domain}/text", "presence"),
            ("/readyz", "health"),
            ("/docs", "docs"),
            ("/v10", "none"),
            ("(none)", "none"),
        ] {
            assert_eq!(api(path).as_str(), expected, "{path}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        async fn panics() -> &'static str {
            panic!("on purpose")
        }
        let router: Router = Router::new().route("/", get(panics)).layer(CatchPanicLayer::custom(panicked));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        insta::assert_snapshot!(String::from_utf8_lossy(&body), @r#"{"success":null,"message":"rosterd made a mistake; its log says more","error":"rosterd made a mistake; its log says more"}"#);
    }
}
