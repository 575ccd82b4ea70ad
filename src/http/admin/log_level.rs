//! How much the daemon logs: `/log-level` on the admin socket. GET tells, PUT changes, and DELETE goes back to the configuration.

use axum::{
    Extension, Json, Router,
    extract::State,
    http::StatusCode,
    routing::{MethodRouter, get},
};
use serde::{Deserialize, Serialize};
use tracing::{Level, enabled, info};

use super::command::Problem;
use crate::{
    config::Directives,
    domain::Who,
    telemetry::{Levels, Standing},
};

/// What is logged, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLevel {
    /// What is logged now: a level, or levels by module.
    pub level: String,
    /// What the configuration says.
    pub configured: String,
}

/// What is to be logged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogLevelWanted {
    /// A level, or levels by module.
    pub level: String,
}

impl From<Standing> for LogLevel {
    fn from(Standing { present, configured }: Standing) -> Self {
        Self { level: present.to_string(), configured: configured.to_string() }
    }
}

type Answer = Result<Json<LogLevel>, (StatusCode, Json<Problem>)>;

pub(super) fn routes(levels: Levels) -> Router {
    let methods: MethodRouter<Levels> = get(tell).put(change).delete(go_back);
    Router::new().route("/log-level", methods).with_state(levels)
}

async fn tell(State(levels): State<Levels>) -> Json<LogLevel> {
    Json(levels.standing().into())
}

async fn change(
    State(levels): State<Levels>,
    Extension(by): Extension<Who>,
    Json(wanted): Json<LogLevelWanted>,
) -> Answer {
    let wanted = Directives::parse(&wanted.level)
        .map_err(|why| (StatusCode::BAD_REQUEST, Json(Problem::new(format!("the log level: {why}")))))?;
    set(&levels, &by, wanted)
}

async fn go_back(State(levels): State<Levels>, Extension(by): Extension<Who>) -> Answer {
    let configured = levels.standing().configured;
    set(&levels, &by, configured)
}

fn set(levels: &Levels, by: &Who, wanted: Directives) -> Answer {
    let (from, to) = (levels.standing().present, wanted.clone());
    let say = || info!(%from, %to, %by, "log level changed");
    // Said while it can be seen, be that before or after.
    let is_seen = enabled!(Level::INFO);
    if is_seen {
        say();
    }
    levels
        .set(wanted)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, Json(Problem::new(crate::telemetry::chain(&error)))))?;
    if !is_seen {
        say();
    }
    Ok(Json(levels.standing().into()))
}
