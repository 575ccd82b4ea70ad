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

use super::Failure;

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
