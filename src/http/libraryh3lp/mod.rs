//! The LibraryH3lp-compatible API.

mod assignments;
mod contract;
mod error;
mod fields;
mod login;
mod operators;
mod queues;
mod users;

use axum::{
    Router,
    extract::{FromRequestParts, RawPathParams, Request},
    http::{StatusCode, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

use super::{Site, auth::Caller, json::Json, origin};
use crate::domain::{QueueId, UserId};

pub(super) use error::Failure;
use fields::Fields;

/// The prefixes of the versions, each with its value of `X-API-Version`.
pub(super) const VERSIONS: [(&str, &str); 4] = [
    ("/2011-12-03", "2011-12-03"),
    ("/2013-07-21", "2013-07-21"),
    ("/2016-02-10", "2016-02-10"),
    ("/api", "2017-01-20"),
];

const V1: &str = VERSIONS[0].0;

pub(super) fn routes() -> Router<Site> {
    VERSIONS
        .into_iter()
        .fold(Router::new(), |routes, (prefix, _)| routes.merge(login::routes(prefix)))
        .merge(queues::routes(V1))
        .merge(operators::routes(V1))
        .merge(users::routes(V1))
        .merge(assignments::routes(V1))
        .layer(middleware::from_fn(check_version))
        .layer(middleware::from_fn(origin::only_ours::<Failure>))
}

/// Refuses a version that there is not. Which version is spoken, the path says.
async fn check_version(request: Request, next: Next) -> Response {
    let mut asked = request.headers().get_all("x-api-version").into_iter();
    if asked.all(|asked| VERSIONS.iter().any(|(_, known)| asked == known)) {
        return next.run(request).await;
    }
    let known = VERSIONS.map(|(_, known)| known).join(", ");
    Failure::new(StatusCode::BAD_REQUEST, format!("X-API-Version must be one of {known}")).into_response()
}

/// A number in a path or a text: digits only.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The queue that the path names. What is no number is no queue.
#[derive(Debug, Clone, Copy)]
struct AtQueue(QueueId);

/// The user that the path names. What is no number is no user.
#[derive(Debug, Clone, Copy)]
struct AtUser(UserId);

impl FromRequestParts<Site> for AtQueue {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Failure> {
        number_in_path(parts, site, "queue").await.and_then(QueueId::new).map(Self).ok_or_else(queues::missing)
    }
}

impl FromRequestParts<Site> for AtUser {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Failure> {
        number_in_path(parts, site, "user").await.and_then(UserId::new).map(Self).ok_or_else(users::missing)
    }
}

async fn number_in_path(parts: &mut Parts, site: &Site, name: &str) -> Option<u32> {
    let params = RawPathParams::from_request_parts(parts, site).await.ok()?;
    let value = params.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
    value.and_then(number)
}
