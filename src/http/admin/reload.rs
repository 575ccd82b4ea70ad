//! `POST /reload` on the admin socket: has the daemon read its settings anew.

use axum::{Extension, Json, Router, extract::State, http::StatusCode, routing::post};
use tokio::sync::{mpsc, oneshot};
use tracing::info;

use super::command::Problem;
use crate::{config::Reloaded, domain::Who};

/// Somebody waits until the settings have been read anew: what was taken over, or in words why nothing was.
pub type ReloadAsked = oneshot::Sender<Result<Reloaded, String>>;

/// The way to who reads the settings anew.
pub(super) fn routes(asks: mpsc::Sender<ReloadAsked>) -> Router {
    Router::new().route("/reload", post(reload)).with_state(asks)
}

async fn reload(
    State(asks): State<mpsc::Sender<ReloadAsked>>,
    Extension(by): Extension<Who>,
) -> Result<Json<Reloaded>, (StatusCode, Json<Problem>)> {
    info!(%by, "asked to read the configuration anew");
    let stopping = || (StatusCode::SERVICE_UNAVAILABLE, Json(Problem::new("rosterd is stopping")));
    let (done, read) = oneshot::channel();
    asks.send(done).await.map_err(|_| stopping())?;
    let read = read.await.map_err(|_| stopping())?;
    read.map(Json).map_err(|why| (StatusCode::UNPROCESSABLE_ENTITY, Json(Problem::new(why))))
}
