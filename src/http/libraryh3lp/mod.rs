//! The LibraryH3lp-compatible API.
//!
//! Four versions, each below a prefix of its own. The later three shape anew what they read of queues, users and operators,
//! and what comes back from enabling one; everything else is under each of them as it is in the first, since clients mix the
//! prefixes. A slash at the end of a path means nothing.

mod assignments;
mod contract;
mod described;
mod error;
mod fields;
mod hostile;
mod login;
mod matrix;
mod method;
mod objects;
mod operators;
mod queues;
mod short;
mod users;

use axum::{
    Router,
    extract::{FromRequestParts, RawPathParams, Request},
    http::{Method, StatusCode, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, any, get, post, put},
};

use super::{Site, auth::Caller, json::Json, origin};
use crate::domain::{QueueId, UserId};

pub(super) use described::description;
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

pub(super) fn routes(site: &Site) -> Router<Site> {
    let mut routes = Router::new();
    for (prefix, _) in VERSIONS {
        for (path, methods) in resources(prefix) {
            // A service, so that what is layered below comes before the choice of the method.
            let methods = methods.fallback(other_methods).with_state(site.clone());
            routes = routes.route_service(&format!("{prefix}{path}/"), methods.clone());
            routes = routes.route_service(&format!("{prefix}{path}"), methods);
        }
        // What is left out of this API, so that there too the whole request is read before it is answered.
        routes = routes.route(&format!("{prefix}/{{*other}}"), any(async || Failure::not_found()));
    }
    routes
        .layer(middleware::from_fn(check_version))
        .layer(middleware::from_fn(method::meant))
        // Looks at the method that came over the wire.
        .layer(middleware::from_fn(origin::only_ours::<Failure>))
}

/// Every resource of a version, with its methods.
fn resources(prefix: &str) -> [(&'static str, MethodRouter<Site>); 10] {
    let [queues, queue, users, user, operators, operator] = if prefix == V1 {
        [
            get(queues::list),
            get(queues::one),
            get(users::list),
            get(users::one),
            get(operators::list),
            put(operators::enable).patch(operators::enable),
        ]
    } else {
        [
            get(short::queues),
            get(short::queue),
            get(short::users),
            get(short::user),
            get(short::operators),
            put(short::enable).patch(short::enable),
        ]
    };
    let assignment = put(operators::enable).patch(operators::enable);
    [
        ("/auth/login", post(login::login)),
        ("/auth/logout", post(login::logout)),
        ("/queues", queues.post(queues::create)),
        ("/queues/{queue}", queue.put(queues::update).patch(queues::update).delete(queues::remove)),
        ("/queues/{queue}/operators", operators.post(operators::assign)),
        ("/queues/{queue}/operators/{user}", operator.delete(operators::unassign)),
        ("/users", users.post(users::create)),
        ("/users/{user}", user.put(users::update).patch(users::update).delete(users::remove)),
        ("/users/{user}/assignments", get(assignments::list).post(assignments::assign)),
        ("/users/{user}/assignments/{queue}", assignment.delete(operators::unassign)),
    ]
}

/// The answer to a method that a resource does not have. The router says in `Allow` which it has, and that is all that
/// OPTIONS asks (RFC 9110 section 9.3.7).
async fn other_methods(method: Method) -> Response {
    if method == Method::OPTIONS {
        Json::success().into_response()
    } else {
        Failure::method_not_allowed().into_response()
    }
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

/// The path of every resource, behind its prefix, for those who go through all of them.
#[cfg(test)]
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    resources(V1).into_iter().map(|(path, _)| path).chain(["/{other}"])
}
