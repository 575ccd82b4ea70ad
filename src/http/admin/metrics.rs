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
    http::{Current, watch},
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
pub(in crate::http) fn router(settings: Current, desk: Handle) -> Router {
    let count = from_fn_with_state((desk.metrics().clone(), Api::Metrics), watch::count_all);
    Router::new()
        .route(PATH, route())
        .with_state(desk)
        .layer(from_fn_with_state(settings, watch::limit_time))
        .layer(CatchPanicLayer::custom(watch::panicked))
        .layer(count)
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc::sync_channel, time::Duration};

    use axum::{body::Body, extract::Request};
    use tokio::{runtime::Builder, task::spawn_blocking, time::timeout};
    use tower::ServiceExt;

    use super::*;
    use crate::http::{
        Settings,
        testing::{Rig, settings},
    };

    #[test]
    fn what_takes_too_long_is_given_up() {
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let rig = Rig::new().await;
            let settings = Settings { request_timeout: Duration::from_millis(10), ..settings() };
            let router = router(Current::new(settings), rig.desk.clone());
            // The one thread on which anything may block is taken.
            let (release, released) = sync_channel::<()>(0);
            let held = spawn_blocking(move || released.recv());
            let request = Request::get(PATH).body(Body::empty()).unwrap();
            let answer = timeout(Duration::from_mins(1), router.oneshot(request)).await;
            drop(release);
            assert!(held.await.unwrap().is_err());
            assert_eq!(answer.unwrap().unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
        });
    }
}
