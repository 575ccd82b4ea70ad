//! rosterd's own API.

mod problem;
mod users;

use axum::{
    Router,
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    middleware,
};

use super::{Site, auth::Caller, json::Json, origin};
use crate::domain::AccountId;
use problem::Problem;

pub(super) fn routes() -> Router<Site> {
    let routes = users::routes()
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is no such resource"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the resource does not support this method")
        })
        .layer(middleware::from_fn(origin::only_ours::<Problem>));
    Router::new().nest("/v1", routes)
}

/// The account that a request comes from.
#[derive(Debug, Clone, Copy)]
struct Owner(AccountId);

impl FromRequestParts<Site> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, site).await?;
        Ok(Self(caller.account))
    }
}
