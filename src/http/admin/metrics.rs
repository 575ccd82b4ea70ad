//! What can be watched, for Prometheus: on the admin socket, and over TCP where that is wanted.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    engine::Handle,
    http::watch,
    metrics::{Api, CONTENT_TYPE},
};

/// The one path.
pub(super) const PATH: &str = "/metrics";

/// GET and HEAD.
pub(super) fn route() -> MethodRouter<Handle> {
    get(show)
}

async fn show(State(desk): State<Handle>) -> Response {
    let text = desk.metrics_text().await;
    if text.is_empty() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

/// What is served over TCP: metrics, and nothing else. Those who come with a body do not see it read.
pub(in crate::http) fn router(desk: Handle) -> Router {
    let count = from_fn_with_state((desk.metrics().clone(), Api::Metrics), watch::count_all);
    Router::new().route(PATH, route()).with_state(desk).layer(CatchPanicLayer::custom(watch::panicked)).layer(count)
}
