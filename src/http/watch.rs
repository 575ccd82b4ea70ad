//! What is watched of every request: that it is noted, ends in time, and brings nothing else down.

use std::{any::Any, net::SocketAddr, time::Duration};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::Instant;
use tracing::{Instrument, debug, error, info_span, warn};

use super::{Failure, libraryh3lp};
use crate::metrics::{Api, Metrics};

/// Notes a request in a span: the path as it was matched, so that neither names nor secrets in a query get into the log.
pub(super) async fn trace(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str);
    // There is none where no socket is, in tests.
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let span = info_span!("request", method = %request.method(), path, peer = peer.map(tracing::field::display));
    let began = Instant::now();
    async move {
        let response = next.run(request).await;
        debug!(status = response.status().as_u16(), took = ?began.elapsed(), "request answered");
        response
    }
    .instrument(span)
    .await
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
pub(super) async fn limit_time(State(most): State<Duration>, request: Request, next: Next) -> Response {
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
