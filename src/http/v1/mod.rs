//! rosterd's own API. Every route is a handler with its description, so that none is served without one ([`super::openapi`]).

mod audit;
mod items;
mod operators;
mod params;
pub(super) mod problem;
mod queues;
mod staffing;
mod tests;
mod users;
mod words;

use axum::{Router, extract::FromRequestParts, http::request::Parts, middleware};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::{Site, auth::Caller, json::Json, origin};
use problem::{Kind, Problem};
pub(super) use words::show_schema;

/// What is served, and its description.
pub(super) fn routes() -> (Router<Site>, OpenApi) {
    let all = OpenApiRouter::new().merge(queues::routes()).merge(users::routes());
    let (served, description) =
        all.merge(operators::routes()).merge(staffing::routes()).merge(audit::routes()).split_for_parts();
    let served = served
        .fallback(async || Problem::new(Kind::NotFound, "there is no such resource"))
        .method_not_allowed_fallback(async || {
            Problem::new(Kind::MethodNotAllowed, "the resource does not support this method")
        })
        .layer(middleware::from_fn(origin::only_ours::<Problem>));
    (Router::new().nest("/v1", served), OpenApi::default().nest("/v1", description))
}

/// Who asks.
#[derive(Debug, Clone)]
struct Member(Caller);

impl FromRequestParts<Site> for Member {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Problem> {
        Ok(Self(Caller::from_request_parts(parts, site).await?))
    }
}
